"""Which values a round's bandits leave, taken together."""

from collections.abc import Sequence

from tuner.policies import Verdict
from tuner.policies.intervals import interval
from tuner.rounds import Contest


def winners(contests: Sequence[Contest], verdicts: Sequence[Verdict]) -> dict[str, float]:
    """The value of each weight, as its verdict says, unless together they would leave nothing to rank.

    Each weight is tuned with the others at their base, and only the ratio of cur to pre matters: cur = 0 means "the
    preceding layer alone", pre = 0 "the current layer alone". Where both win, every score of Eq. 1 would be 0. Then the
    one with the less sure evidence takes its best value above 0.
    """
    chosen = {contest.name: verdict.winner for contest, verdict in zip(contests, verdicts, strict=True)}
    by_name = {contest.name: contest for contest in contests}
    pair = [by_name[name] for name in ("cur", "pre")]
    if all(contest.values[chosen[contest.name]] == 0 for contest in pair):
        yielding = min(pair, key=lambda contest: _sureness(contest, chosen[contest.name]))
        positive = [arm for arm in yielding.bandit.preference if yielding.values[arm] > 0]
        if positive:
            chosen[yielding.name] = max(positive, key=lambda arm: _sureness(yielding, arm))
    return {name: by_name[name].values[arm] for name, arm in chosen.items()}


def _sureness(contest: Contest, arm: int) -> float:
    """The lower end of the interval of an arm's mean."""
    bandit = contest.bandit
    return interval(int(bandit.successes[arm]), int(bandit.pulls[arm])).low
