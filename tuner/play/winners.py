"""Which arms a round's bandits leave, taken together."""

from collections.abc import Sequence

from tracer import Settings
from tuner.play.setting_bandit import SettingBandit
from tuner.policies import Verdict
from tuner.policies.intervals import interval
from tuner.spec.arms import ArmSet
from tuner.spec.canonical import ranks_nothing


def winners(bandits: Sequence[SettingBandit], verdicts: Sequence[Verdict], base: Settings) -> list[int]:
    """The arm chosen of each bandit, as its verdict says, unless together they would leave nothing to rank.

    Each setting is tuned with the others at their base, and only the ratio of cur to pre matters: cur = 0 means "the
    preceding layer alone", pre = 0 "the current layer alone". Where both win, every score of Eq. 1 would be 0. Then the
    one with the less sure evidence takes its best value above 0.
    """
    chosen = [end.winner for end in verdicts]
    pair = [index for index, one in enumerate(bandits) if one.setting in ("cur", "pre")]
    if len(pair) == 2 and ranks_nothing(learned([one.arms for one in bandits], chosen, base)):
        yielding = min(pair, key=lambda index: _sureness(bandits[index], chosen[index]))
        one = bandits[yielding]
        positive = [arm for arm in one.bandit.preference if one.arms.candidates[arm] != 0]
        if positive:
            chosen[yielding] = max(positive, key=lambda arm: _sureness(one, arm))
    return chosen


def learned(arm_sets: Sequence[ArmSet], chosen: Sequence[int], base: Settings) -> Settings:
    """The base, with each setting that was tuned at the arm chosen for it."""
    for arms, arm in zip(arm_sets, chosen, strict=True):
        tried = arms.settings[arm].values()
        base = base.changed({name: tried[name] for name in arms.tuned})
    return base


def _sureness(one: SettingBandit, arm: int) -> float:
    """The lower end of the interval of an arm's mean."""
    return interval(one.bandit.successes_of(arm), one.bandit.pulls_of(arm)).low
