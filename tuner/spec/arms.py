"""What a bandit may pull: the candidates of one setting, or combinations of several settings' candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from storage.models import Candidate, Value
from tracer import Settings
from tracer.config import parse_cut
from tuner.spec.canonical import canonical

JOINT = "joint"
"""Stands in the place of a setting's name where a bandit's arms are combinations."""

MOST = 2000
"""Arms that one bandit may have."""


@dataclass(frozen=True)
class ArmSet:
    """The arms of one bandit.

    Args:
        setting: The setting that the bandit tunes, or :data:`JOINT`.
        tuned: The settings that its arms set.
        candidates: What each arm tries: a value of the setting, or a mapping from each setting tuned to its value.
        settings: What each arm traces with.
        preference: The arms, those nearest to the base first: they win ties.
        base: What the settings that it does not tune are held at.
    """

    setting: str
    tuned: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    settings: tuple[Settings, ...]
    preference: tuple[int, ...]
    base: Mapping[str, Value]

    @property
    def tied(self) -> bool:
        """Whether all arms are equal by construction, so that there is nothing to pull."""
        return len(set(map(canonical, self.settings))) == 1 < len(self.settings)


def arms_of(setting: str, candidates: Sequence[Value], base: Settings, preferred: Value) -> ArmSet:
    """An arm for each candidate of a setting.

    Args:
        setting: The setting.
        candidates: Its candidates.
        base: What the other settings are held at.
        preferred: Ties go to the candidate nearest to this value.
    """
    return ArmSet(
        setting,
        (setting,),
        tuple(candidates),
        tuple(base.changed({setting: candidate}) for candidate in candidates),
        tuple(sorted(range(len(candidates)), key=lambda arm: distance(candidates[arm], preferred))),
        others(base, (setting,)),
    )


def others(base: Settings, tuned: Sequence[str]) -> dict[str, Value]:
    """What the settings that are not tuned are held at."""
    return {name: value for name, value in base.values().items() if name not in tuned}


def distance(candidate: Value, base: Value, unit: float = 1.0) -> float:
    """How far a candidate is from the base: in units where both are numbers, as it is where both are masses of a map.

    Otherwise 1 where they differ.

    Args:
        candidate: A value of a setting.
        base: Another one.
        unit: The difference of numbers that counts as 1.
    """
    if is_number(candidate) and is_number(base):
        return abs(float(candidate) - float(base)) / unit
    if _is_mass(candidate) and _is_mass(base):
        return abs(parse_cut(candidate)[0] - parse_cut(base)[0])
    return float(candidate != base)


def _is_mass(value: object) -> TypeGuard[str]:
    """Whether a value is a cut such as ``mass 0.6``."""
    return isinstance(value, str) and value.startswith("mass ")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value has an order: a truth value has none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
