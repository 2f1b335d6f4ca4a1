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
        tuple(sorted(range(len(candidates)), key=distances(candidates, preferred).__getitem__)),
        others(base, (setting,)),
    )


def others(base: Settings, tuned: Sequence[str]) -> dict[str, Value]:
    """What the settings that are not tuned are held at."""
    return {name: value for name, value in base.values().items() if name not in tuned}


def distances(candidates: Sequence[Value], base: Value) -> list[float]:
    """How far each candidate of a setting is from the base's value of it.

    Numbers are held against a number, and masses of a map (``mass 0.6``) against a mass, with the range of the
    candidates of that kind as the unit. Anything else that is not the base's value is one unit farther than the
    farthest of them.
    """
    kind, place = _measured(base)
    measured = [_measured(candidate) for candidate in candidates]
    places = [at for other, at in measured if kind and other == kind]
    unit = max(places, default=0.0) - min(places, default=0.0) or 1.0
    beyond = 1 + max((abs(at - place) / unit for at in places), default=0.0)
    return [
        abs(at - place) / unit if kind and other == kind else beyond * (candidate != base)
        for candidate, (other, at) in zip(candidates, measured, strict=True)
    ]


def _measured(value: Value) -> tuple[str, float]:
    """Of what kind a value is, and its place among that kind; no kind where it is only equal to another one or not."""
    if is_number(value):
        return "number", float(value)
    try:
        fraction, mass = parse_cut(str(value))
    except ValueError:
        return "", 0.0
    return ("mass" if mass else ""), fraction


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value has an order: a truth value has none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
