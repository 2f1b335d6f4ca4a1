"""From values to places in a picture."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

TICKS = 6
"""Ticks of an axis, about."""


@dataclass(frozen=True)
class Scale:
    """A straight map from values to places along an axis of a picture.

    Args:
        low: The value at the start of the axis.
        high: The value at its end, above ``low``.
        start: Where the axis starts, in units of the picture.
        end: Where it ends; below ``start`` on an axis that goes up.
    """

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0

    @classmethod
    def around(cls, values: Iterable[float], least: float = -math.inf, most: float = math.inf) -> Self:
        """The scale whose ends are the ticks next to all values.

        Args:
            values: What is to be seen; one at least.
            least: The axis never starts below it, as below 0 for a share.
            most: The axis never ends above it.
        """
        known = list(values)
        low, high = min(known), max(known)
        if low == high:
            low, high = low - 0.5, high + 0.5
        step = _step(low, high)
        return cls(max(least, math.floor(low / step) * step), min(most, math.ceil(high / step) * step))

    def across(self, start: float, end: float) -> Self:
        """The same scale along another stretch of a picture."""
        return replace(self, start=start, end=end)

    def __call__(self, value: float) -> float:
        """Where a value stands, to a tenth of a unit."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[float]:
        """Round values on the axis, in ascending order."""
        step = _step(self.low, self.high)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(number * step, 10) for number in range(first, last + 1)]


def _step(low: float, high: float) -> float:
    """1, 2 or 5 times a power of ten, so that about :data:`TICKS` steps lead from one value to another."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))
