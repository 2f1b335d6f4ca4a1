"""Which arms a round's bandits leave, taken together."""

from collections.abc import Sequence

from tracer import Alpha
from tuner.play.contest import Contest
from tuner.policies import Verdict
from tuner.policies.intervals import interval


def winners(contests: Sequence[Contest], verdicts: Sequence[Verdict]) -> list[int]:
    """The arm chosen in each contest, as its verdict says, unless together they would leave nothing to rank.

    Each weight is tuned with the others at their base, and only the ratio of cur to pre matters: cur = 0 means "the
    preceding layer alone", pre = 0 "the current layer alone". Where both win, every score of Eq. 1 would be 0. Then the
    one with the less sure evidence takes its best value above 0.
    """
    chosen = [end.winner for end in verdicts]
    pair = [index for index, contest in enumerate(contests) if contest.name in ("cur", "pre")]
    if pair and all(contests[index].values[chosen[index]] == 0 for index in pair):
        yielding = min(pair, key=lambda index: _sureness(contests[index], chosen[index]))
        contest = contests[yielding]
        positive = [arm for arm in contest.bandit.preference if contest.values[arm] != 0]
        if positive:
            chosen[yielding] = max(positive, key=lambda arm: _sureness(contest, arm))
    return chosen


def learned(contests: Sequence[Contest], chosen: Sequence[int]) -> Alpha:
    """The weights that the arms chosen amount to: of each, those that its contest tuned."""
    tuned = {
        name: getattr(contest.alphas[arm], name)
        for contest, arm in zip(contests, chosen, strict=True)
        for name in contest.tuned
    }
    return Alpha(**tuned)


def _sureness(contest: Contest, arm: int) -> float:
    """The lower end of the interval of an arm's mean."""
    bandit = contest.bandit
    return interval(int(bandit.successes[arm]), int(bandit.pulls[arm])).low
