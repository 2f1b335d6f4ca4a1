"""What the pictures of a page show; the macros of ``charts.html`` draw them as SVG.

Every chart has a ``name`` (an HTML id, so unique on its page and without blanks), a ``title``, a ``description`` that
says in words what the picture shows to those who do not see it, and a ``table`` of the same figures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from tuner.pages.scale import Scale
from tuner.results.cells import between, change
from tuner.results.marks import Mark
from tuner.results.table import Table

Unit = Literal["share", "number"]
"""A share of 1 is shown in percent."""


def percent(value: float) -> str:
    """A share of 1 in percent, to a tenth: ``62.5%``, ``7%``."""
    return f"{round(100 * value, 1):g}%".replace("-", "−")


LONGEST = 20
"""Letters of a name beside a line; one that is longer stands in the table alone."""


@dataclass(frozen=True)
class Chart:
    """What all charts have.

    Args:
        name: The picture's id on the page.
        title: What it shows, as its caption says.
        description: What is to be seen in it, for those who do not see it.
    """

    name: str
    title: str
    description: str

    @property
    def marks(self) -> list[Mark]:
        """The marks that the picture has, which its key explains."""
        return []


@dataclass(frozen=True)
class Reference:
    """A value that others are held against, drawn as a dashed line."""

    label: str
    value: float


@dataclass(frozen=True)
class Interval:
    """A value with its interval: a dot with whiskers."""

    label: str
    value: float
    low: float
    high: float
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class IntervalChart(Chart):
    """Values with their intervals, a line each, such as arms or methods.

    Args:
        items: From top to bottom, one at least.
        axis: What the values are.
        each: What an item is.
        unit: How they are shown.
        reference: What they are held against.
    """

    items: Sequence[Interval]
    axis: str
    each: str = "arm"
    unit: Unit = "share"
    reference: Reference | None = None

    @property
    def marks(self) -> list[Mark]:
        """Those of the items."""
        return _marks(item.marks for item in self.items)

    @property
    def scale(self) -> Scale:
        """Reaches over all intervals and the reference."""
        seen = [end for item in self.items for end in (item.value, item.low, item.high)]
        return _scale([*seen, *([self.reference.value] if self.reference else [])], self.unit)

    @property
    def table(self) -> Table:
        """A row an item, and one for the reference."""
        rows = [
            {
                self.each: item.label,
                self.axis: item.value,
                "low": item.low,
                "high": item.high,
                "is": ", ".join(item.marks),
            }
            for item in self.items
        ]
        if self.reference is not None:
            held_against = {self.each: self.reference.label, self.axis: self.reference.value, "low": None, "high": None}
            rows.append({**held_against, "is": "the dashed line"})
        return Table(self.title, rows)


@dataclass(frozen=True)
class Line:
    """How a value went.

    Args:
        label: What it is the value of.
        points: (x, y) in ascending x, one at least.
        marks: What is to be known of it.
    """

    label: str
    points: Sequence[tuple[float, float]]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Label:
    """A name, and where in the picture it stands."""

    label: str
    x: float
    y: float


@dataclass(frozen=True)
class LineChart(Chart):
    """Values over a common axis, such as the mean reward of arms over the images seen.

    Args:
        lines: One at least.
        across: What x is.
        axis: What y is.
        each: What a line is of.
        unit: How y is shown.
        reference: What the lines are held against.
    """

    lines: Sequence[Line]
    across: str
    axis: str
    each: str = "arm"
    unit: Unit = "share"
    reference: Reference | None = None

    @property
    def marks(self) -> list[Mark]:
        """Those of the lines."""
        return _marks(line.marks for line in self.lines)

    @property
    def x(self) -> Scale:
        """Reaches from 0 to the last point."""
        return Scale(0.0, max(1.0, *(line.points[-1][0] for line in self.lines)))

    @property
    def y(self) -> Scale:
        """Reaches over all points and the reference."""
        seen = [y for line in self.lines for _, y in line.points]
        return _scale([*seen, *([self.reference.value] if self.reference else [])], self.unit)

    @property
    def drawn(self) -> list[Line]:
        """The lines, the winner last, so that no other covers it."""
        return sorted(self.lines, key=lambda line: "winner" in line.marks)

    def labels(self, x: Scale, y: Scale, width: float, height: float) -> list[Label]:
        """The names of the reference and of the winner and base beside the ends of their lines; long ones as the mark.

        Args:
            x: Where the points stand from left to right.
            y: Where they stand from top to bottom.
            width: How much room a name takes; one that would lie on another is moved down.
            height: Likewise.
        """
        ends = [
            (line.label if len(line.label) <= LONGEST else line.marks[0], *line.points[-1])
            for line in self.lines
            if {"winner", "base"} & {*line.marks}
        ]
        if self.reference is not None:
            ends.append((self.reference.label, x.high, self.reference.value))
        placed: list[Label] = []
        for name, across, value in sorted(ends, key=lambda end: y(end[2])):
            place = y(value)
            for other in placed:
                if abs(other.x - x(across)) < width and place - other.y < height:
                    place = other.y + height
            placed.append(Label(name, x(across), place))
        return placed

    @property
    def table(self) -> Table:
        """A row a line: where it ended."""
        rows = [
            {self.each: line.label, self.across: x, self.axis: y, "is": ", ".join(line.marks)}
            for line in self.lines
            for x, y in line.points[-1:]
        ]
        return Table(f"{self.title}: where each line ends", rows)


@dataclass(frozen=True)
class Bin:
    """How many values lie from ``low`` (inclusive) to ``high``."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class DifferenceChart(Chart):
    """How paired differences are spread: a bar for each stretch of values, and the mean with its interval below.

    Args:
        values: The differences, each in [−1, 1], one at least.
        axis: What a difference is of.
        mean: Their mean, with its interval.
        bins: Bars on each side of 0. A difference of exactly 0 has a bar of its own, because there are often many.
    """

    values: Sequence[float]
    axis: str
    mean: Interval
    bins: int = 10

    @property
    def counted(self) -> list[Bin]:
        """The bars from left to right; the one of the differences of exactly 0 has no width."""
        values = np.asarray(self.values, dtype=np.float64)
        edges = np.linspace(0, self.reach, self.bins + 1)
        below, _ = np.histogram(-values[values < 0], edges)
        above, _ = np.histogram(values[values > 0], edges)
        ends = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        return [
            *(Bin(-high, -low, int(count)) for (low, high), count in zip(ends[::-1], below[::-1], strict=True)),
            Bin(0.0, 0.0, int((values == 0).sum())),
            *(Bin(low, high, int(count)) for (low, high), count in zip(ends, above, strict=True)),
        ]

    @property
    def reach(self) -> float:
        """Where the axis ends on both sides: a tenth at least, and above the largest difference."""
        largest = max(0.1, *(abs(value) for value in (*self.values, self.mean.low, self.mean.high)))
        return float(np.ceil(largest * 10) / 10)

    @property
    def scale(self) -> Scale:
        """Reaches equally far on both sides of 0."""
        return Scale(-self.reach, self.reach)

    @property
    def table(self) -> Table:
        """A row a bar with a value in it."""
        rows = [{"from": of.low, "to": of.high, "images": of.count} for of in self.counted if of.count]
        interval = between(self.mean.low, self.mean.high, change)
        return Table(self.title, rows, (f"mean {change(self.mean.value)}, interval {interval}",))


@dataclass(frozen=True)
class Bar:
    """A value from 0."""

    label: str
    value: float
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class BarChart(Chart):
    """Values from 0, a bar each, such as how often each arm was pulled.

    Args:
        bars: From top to bottom, one at least; none below 0.
        axis: What the values are.
        each: What a bar is of.
        unit: How they are shown.
    """

    bars: Sequence[Bar]
    axis: str
    each: str = "arm"
    unit: Unit = "number"

    @property
    def scale(self) -> Scale:
        """Reaches from 0 over all bars."""
        return _scale([0.0, *(bar.value for bar in self.bars)], self.unit)

    @property
    def table(self) -> Table:
        """A row a bar."""
        rows = [{self.each: bar.label, self.axis: bar.value, "is": ", ".join(bar.marks)} for bar in self.bars]
        return Table(self.title, rows)


def _marks(of: Iterable[tuple[Mark, ...]]) -> list[Mark]:
    """The marks that something has, in the order of :data:`Mark`."""
    used = {mark for marks in of for mark in marks}
    return [mark for mark in get_args(Mark) if mark in used]


def _scale(values: Sequence[float], unit: Unit) -> Scale:
    return Scale.around(values, 0.0, 1.0) if unit == "share" and min(values) >= 0 else Scale.around(values)
