from tests.tuner.fakes import make_bandit
from tracer import Alpha
from tuner.play.contest import Contest
from tuner.play.winners import learned, winners
from tuner.policies import verdict

VALUES = [0.0, 0.5, 1.0]


def make_contest(name: str, successes: list[int], pulls: int = 20) -> Contest:
    alphas = [Alpha(**{name: value}) for value in VALUES]
    return Contest(name, VALUES, alphas, make_bandit(successes, pulls))  # type: ignore[arg-type]


def chosen(cur: list[int], suc: list[int], pre: list[int]) -> dict[str, float]:
    contests = [make_contest("cur", cur), make_contest("suc", suc), make_contest("pre", pre)]
    arms = winners(contests, [verdict(contest.bandit) for contest in contests])
    assert learned(contests, arms) == Alpha(*(VALUES[arm] for arm in arms))
    return {contest.name: VALUES[arm] for contest, arm in zip(contests, arms, strict=True)}


def test_each_weight_takes_its_verdict() -> None:
    assert chosen([5, 18, 6], [5, 6, 18], [18, 6, 5]) == {"cur": 0.5, "suc": 1.0, "pre": 0.0}


def test_cur_and_pre_are_never_both_0() -> None:
    assert chosen([18, 6, 5], [5, 6, 18], [16, 6, 9]) == {"cur": 0.0, "suc": 1.0, "pre": 1.0}
    assert chosen([16, 9, 6], [5, 6, 18], [18, 6, 9]) == {"cur": 0.5, "suc": 1.0, "pre": 0.0}


def test_ties_go_to_the_value_nearest_the_base() -> None:
    assert chosen([18, 6, 6], [9, 9, 9], [16, 6, 6]) == {"cur": 0.0, "suc": 1.0, "pre": 1.0}
