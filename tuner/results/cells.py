"""A value of an answer's row, as programs and people read it."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tracer.printable import printable

OUTCOMES = {
    "decided": "one arm is best of all that were tried",
    "epsilon": "the arms that may be best are all but equal",
    "exhausted": "images or pulls ran out before one arm was known to be best",
    "tied": "all arms are equal by construction",
    "stopped": "it was stopped, and can go on",
    "failed": "it failed, and can go on",
}
"""What the outcome of a job means."""


NONE_DIFFERS = "no image differs"
"""Stands in the place of the interval of a difference that no image shows."""


def none_differs(low: float, high: float) -> bool:
    """Whether the interval of a difference says that the two came to the same on every image.

    The intervals of :mod:`tuner.paired` lie at 0 without a width there, and nowhere else.
    """
    return low == high == 0


def between(low: float, high: float, show: Callable[[float], str]) -> str:
    """The interval of a difference as people read it: ``−3 to +7``, or that no image differs.

    Args:
        low: Its lower end.
        high: Its upper end.
        show: An end as text.
    """
    return NONE_DIFFERS if none_differs(low, high) else f"{show(low)} to {show(high)}"


def points(difference: float, *, signed: bool = True) -> str:
    """A difference of shares in points of a hundred: ``+6``, ``−0.5``, ``0``."""
    rounded = round(100 * difference, 1)
    return f"{rounded:{'+' if signed and rounded else ''}g}".replace("-", "−")


def change(difference: float) -> str:
    """A difference of values to three digits: ``+0.032``, ``−0.100``."""
    return f"{difference:+.3f}".replace("-", "−")


_CANDIDATES = {"candidate": None, "other_candidate": None, "leading": "mean", "winner": "outcome"}
"""The columns that hold a candidate, and the column that is empty where there is none yet; ``None``: there always is.

A candidate may itself be null, the network's own ``input``, and is to be told from one that is not there."""


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as tables, pages and CSV show it: a candidate that is null stands there as ``null``, as in a job file."""
    there = {key for key, known in _CANDIDATES.items() if known is None or row.get(known) is not None}
    return {key: "null" if value is None and key in there else value for key, value in row.items()}


def plain(value: Any) -> Any:
    """A value that JSON and YAML carry: times in ISO 8601, NaN as null."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def csv_cell(value: Any) -> Any:
    """A CSV cell: empty for what is unknown, a list separated by blanks, a combination as in a table."""
    value = plain(value)
    if isinstance(value, (list, Mapping)):
        return _joined(value, str)
    return "" if value is None else value


def text(value: Any) -> str:
    """A value as tables and pages show it: numbers to four digits, empty for what is unknown, always on one line."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, Mapping)):
        return _joined(value, text)
    return printable(str(value))


def _joined(value: Any, show: Callable[[Any], str]) -> str:
    """``1 null`` of a list, ``cur=1 cut=0.3`` of a combination, with commas between combinations."""

    def one(item: Any) -> str:
        return "null" if item is None else show(item)

    if isinstance(value, Mapping):
        return " ".join(f"{key}={one(item)}" for key, item in value.items())
    combinations = any(isinstance(item, Mapping) for item in value)
    return (", " if combinations else " ").join(_joined(i, show) if isinstance(i, Mapping) else one(i) for i in value)
