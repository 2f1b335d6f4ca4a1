"""Times as ratios to something measured in the same breath."""

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeVar

Input = TypeVar("Input")


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Args:
        section: Which part of the benchmark.
        what: What was measured, on what.
        who: The library.
        median: Of the paired runs.
        least: The lowest of them.
        most: The highest of them.
        unit: Of the three.
        goal: What to reach, as text such as ``≤ 0.5``; empty for a peer.
        met: Whether the median reaches it; ``None`` without a goal.
        load: Programs that wanted a processor over the last minute, as the system counts; ``None`` where it does not.
    """

    section: str
    what: str
    who: str
    median: float
    least: float
    most: float
    unit: str
    goal: str = ""
    met: bool | None = None
    load: float | None = None

    @classmethod
    def of(
        cls,
        section: str,
        what: str,
        who: str,
        values: list[float],
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> "Figure":
        """The figure of some runs, held against a goal where there is one."""
        median = statistics.median(values)
        goal, met = "", None
        if at_most is not None:
            goal, met = f"≤ {at_most:g}", median <= at_most
        elif at_least is not None:
            goal, met = f"≥ {at_least:g}", median >= at_least
        load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
        return cls(section, what, who, median, min(values), max(values), unit, goal, met, load)

    def row(self) -> dict[str, object]:
        """The figure as fields, large numbers without decimals."""
        return {
            name: round(value) if isinstance(value, float) and value >= 1000 else value
            for name, value in asdict(self).items()
        }


def seconds(call: Callable[[], object], synchronise: Callable[[], None] = lambda: None) -> float:
    """Wall-clock time of a call. ``synchronise`` waits for a device that works on its own."""
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


def processor_seconds(call: Callable[[], object]) -> float:
    """Processor time of a call: what other programs take of the machine meanwhile does not count."""
    start = time.process_time()
    call()
    return time.process_time() - start


Timer = Callable[[Callable[[], object]], float]
"""Returns how many seconds a call takes."""

LONG = 5.0
"""A call of more seconds than this is paired once only."""


def paired_ratios(
    base: Callable[[Input], object],
    calls: Mapping[str, Callable[[Input], object]],
    inputs: Sequence[Input],
    timer: Timer = seconds,
) -> dict[str, list[float]]:
    """How many times as long as ``base`` each call takes on the same input.

    A run times the base, then a call, for each call in turn, so that a slow spell of the machine meets both. Each call
    is made before on the first input: that compiles, allocates and fills caches.

    Args:
        base: The yardstick.
        calls: What to compare, by name.
        inputs: What the runs are made on, one pair per call on each; one in all for a call over :data:`LONG` seconds.
        timer: What is timed.

    Returns:
        The ratios by name.
    """
    base(inputs[0])
    short = {name for name, call in calls.items() if _warm(partial(call, inputs[0]), timer) <= LONG}
    ratios: dict[str, list[float]] = {name: [] for name in calls}
    for run, given in enumerate(inputs):
        for name, call in calls.items():
            if run == 0 or name in short:
                yardstick = timer(partial(base, given))
                ratios[name].append(timer(partial(call, given)) / yardstick)
    return ratios


def _warm(call: Callable[[], object], timer: Timer) -> float:
    """Time of a second call; the first one compiles. A first one far too long is not repeated."""
    first = timer(call)
    return min(first, timer(call)) if first < 10 * LONG else first
