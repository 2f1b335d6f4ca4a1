from tests.tuner.fakes import make_bandit
from tracer import Alpha, Settings
from tuner.play.setting_bandit import SettingBandit
from tuner.play.winners import learned, winners
from tuner.policies import verdict
from tuner.spec.arms import arms_of

VALUES = [0.0, 0.5, 1.0]
BASE = Settings()


def make_setting_bandit(setting: str, successes: list[int], pulls: int = 20) -> SettingBandit:
    return SettingBandit(arms_of(setting, VALUES, BASE, 1.0), make_bandit(successes, pulls))


def chosen(cur: list[int], suc: list[int], pre: list[int]) -> dict[str, float]:
    bandits = [make_setting_bandit("cur", cur), make_setting_bandit("suc", suc), make_setting_bandit("pre", pre)]
    arms = winners(bandits, [verdict(one.bandit) for one in bandits], BASE)
    assert learned([one.arms for one in bandits], arms, BASE).alpha == Alpha(*(VALUES[arm] for arm in arms))
    return {one.setting: VALUES[arm] for one, arm in zip(bandits, arms, strict=True)}


def test_each_setting_takes_its_verdict() -> None:
    assert chosen([5, 18, 6], [5, 6, 18], [18, 6, 5]) == {"cur": 0.5, "suc": 1.0, "pre": 0.0}


def test_cur_and_pre_are_never_both_0() -> None:
    assert chosen([18, 6, 5], [5, 6, 18], [16, 6, 9]) == {"cur": 0.0, "suc": 1.0, "pre": 1.0}
    assert chosen([16, 9, 6], [5, 6, 18], [18, 6, 9]) == {"cur": 0.5, "suc": 1.0, "pre": 0.0}


def test_ties_go_to_the_value_nearest_the_base() -> None:
    assert chosen([18, 6, 6], [9, 9, 9], [16, 6, 6]) == {"cur": 0.0, "suc": 1.0, "pre": 1.0}


def test_what_was_not_tuned_stays_at_the_base() -> None:
    base = BASE.changed({"pre": 0.25, "location": "center"})
    one = SettingBandit(arms_of("cur", VALUES, base, 1.0), make_bandit([5, 18, 6], 20))
    found = learned([one.arms], winners([one], [verdict(one.bandit)], base), base)
    assert found == base.changed({"cur": 0.5})
