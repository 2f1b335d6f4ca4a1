"""What is to be known of an arm at first sight: whether it won, may be best or is out, and whether it is the base."""

from collections.abc import Mapping, Sequence
from typing import Literal

from storage.rows import ArmRow, BanditRow, JobRow
from tracer import Settings
from tuner.results.learned import learned_settings

Mark = Literal["winner", "may be best", "ruled out", "base"]
"""Tables tell marks in words, pictures by shape, and by colour too."""

LEGEND = (
    "may be best: no other arm was shown to be better, by more than chance or on every image; ruled out: one was; "
    "base: what the settings were before"
)
"""What the marks mean, in one line."""


def round_bases(job: JobRow, bandits: Sequence[BanditRow]) -> dict[int, Settings]:
    """The settings that each round began with.

    Args:
        job: The job.
        bandits: Those of all its rounds.
    """
    rounds = {bandit.round for bandit in bandits}
    return {each: learned_settings(job, [b for b in bandits if b.round == each - 1]) for each in rounds}


def marks(bandit: BanditRow, arm: ArmRow, base: Settings) -> tuple[Mark, ...]:
    """The marks of an arm.

    Args:
        bandit: Its bandit.
        arm: The arm.
        base: The settings that its round began with.
    """
    found: list[Mark] = []
    if arm.rank == bandit.winner_rank:
        found.append("winner")
    if arm.may_be_best is not None:
        found.append("may be best" if arm.may_be_best else "ruled out")
    tried = arm.candidate if isinstance(arm.candidate, Mapping) else {bandit.setting: arm.candidate}
    if base.changed(tried) == base:
        found.append("base")
    return tuple(found)
