"""The order in which people expect an arm's candidates, whatever the order of the job file."""

from collections.abc import Iterable, Mapping

from storage.models import Candidate, Value
from storage.rows import ArmRow
from tracer.config import parse_stride

Key = tuple[tuple[int, str, float], ...]


def in_order(arms: Iterable[ArmRow]) -> list[ArmRow]:
    """Arms by bandit, those of each in the natural order of their candidates."""
    return sorted(arms, key=lambda arm: (arm.bandit_id, natural(arm.setting, arm.candidate)))


def natural(setting: str, candidate: Candidate) -> Key:
    """A key to sort candidates by; equal keys keep the order of the job file.

    Numbers come first, then words with a number (``mass 0.6`` before ``mass 0.8``), then words, which have no order of
    their own. Depths go from the coarsest map to the image: 32, 16, 8, ``image``.

    Args:
        setting: What the bandit tunes; of a combination the settings are its keys.
        candidate: A candidate of it.
    """
    tried = candidate if isinstance(candidate, Mapping) else {setting: candidate}
    return tuple(_depth(value) if name == "depth" else _value(value) for name, value in tried.items())


def _value(value: Value) -> tuple[int, str, float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0, "", float(value)
    word, blank, number = str(value).rpartition(" ")
    try:
        return (1, word, float(number)) if blank else (2, "", 0.0)
    except ValueError:
        return 2, "", 0.0


def _depth(value: Value) -> tuple[int, str, float]:
    """By falling stride; the last map of a stride before its first, layers that are named after the image."""
    if value == "image":
        return 0, "", -1.0
    stride, last = parse_stride(value)  # type: ignore[arg-type]  # a stored depth is one
    return (1, "", 0.0) if stride is None else (0, "", -stride - 0.5 * last)
