"""Tables that hold methods against one another on the same images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.result import Measured
from experiments.sampling import Sample
from tuner.paired import bootstrap_interval, exact_interval

Key = tuple[str, ...]
"""What names a row: the method, and how its map was read or changed."""


@dataclass(frozen=True)
class Measure:
    """What is measured on every image.

    Args:
        name: Its column.
        meaning: What the column means.
        counts: Whether an image is hit or missed; values lie between otherwise.
        scale: What values are shown in: 100 for percent.
        better: 1 where more is better, −1 where less is, 0 where neither is.
        compared: Whether the differences to the first method are shown.
    """

    name: str
    meaning: str
    counts: bool = False
    scale: float = 100
    better: int = 1
    compared: bool = True

    @property
    def columns(self) -> dict[str, str]:
        """The meaning of its columns."""
        unit = "percent" if self.scale == 100 else "as it is"
        columns = {self.name: f"{self.meaning} ({unit})", f"{self.name}_se": f"standard error of {self.name}"}
        if self.compared:
            columns |= {
                f"{self.name}_difference": f"{self.name} less that of the first method, on the same images",
                f"{self.name}_low": "lower end of the difference's paired 95% interval",
                f"{self.name}_high": "its upper end",
            }
        return columns


@dataclass(frozen=True)
class Comparison:
    """Rows of values that are to be compared.

    Args:
        title: What the table shows.
        keys: Meanings of the columns that name a row, the method's first.
        measures: The columns.
        values: Row → measure → a value an image; NaN where an image has none.
        sample: The images, and the draws whose means are averaged.
        first: The method that the others are compared with.
        seed: Of the bootstrap.
        notes: Lines for the reader.
        against: The row of the first method that all others are compared with; without it, each with the one that is
            read as it is.
    """

    title: str
    keys: Mapping[str, str]
    measures: Sequence[Measure]
    values: Mapping[Key, Mapping[str, NDArray[np.float64]]]
    sample: Sample
    first: str
    seed: int
    notes: tuple[str, ...] = ()
    against: Key | None = None

    def table(self) -> Measured:
        """A row a key: means, standard errors, and differences to the row of the first method that is read alike."""
        repeated = len(self.sample.draws) > 1
        columns = {**self.keys, "images": "images, each once"}
        for measure in self.measures:
            columns |= measure.columns
            if repeated:
                columns[f"{measure.name}_between"] = f"standard deviation of {measure.name} between the draws"
        rows = []
        for key, values in self.values.items():
            row: dict[str, object] = dict(zip(self.keys, key, strict=True))
            row["images"] = int(np.isfinite(values[self.measures[0].name]).sum())
            for measure in self.measures:
                row |= self._row(key, measure, repeated)
            rows.append(row)
        notes = self.notes
        if repeated:
            notes = (
                *notes,
                f"Means of {len(self.sample.draws)} draws; intervals are over all their images, each once.",
            )
        return Measured(self.title, rows, notes, columns=columns)

    def _row(self, key: Key, measure: Measure, repeated: bool) -> dict[str, float]:
        values, name = self.values[key][measure.name], measure.name
        known = values[np.isfinite(values)]
        if not len(known):
            return dict.fromkeys([*measure.columns, *([f"{name}_between"] if repeated else [])], math.nan)
        means = np.array([_mean(values[draw]) for draw in self.sample.draws])
        row = {name: _mean(means), f"{name}_se": float(known.std() / np.sqrt(len(known)))}
        if measure.compared:
            row |= dict(zip(list(measure.columns)[2:], self._difference(key, measure), strict=True))
        if repeated:
            row[f"{name}_between"] = float(np.nanstd(means, ddof=1)) if np.isfinite(means).sum() > 1 else math.nan
        return {column: measure.scale * value for column, value in row.items()}

    def _difference(self, key: Key, measure: Measure) -> tuple[float, float, float]:
        """The mean difference to the first method on the same images, and its interval: none where no image differs."""
        reference = self.reference(key)
        if reference is None or reference == key:
            return math.nan, math.nan, math.nan
        gains = self.values[key][measure.name] - self.values[reference][measure.name]
        gains = gains[np.isfinite(gains)]
        if not len(gains):
            return math.nan, math.nan, math.nan
        return paired_difference(gains, None if measure.counts else np.random.default_rng(self.seed))

    def reference(self, key: Key) -> Key | None:
        """What this row is compared with: ``against``, or the first method's that is read alike, or its first."""
        if self.against is not None:
            return self.against
        own = [other for other in self.values if other[0] == self.first]
        return next((other for other in own if other[1:] == key[1:]), own[0] if own else None)


def paired_difference(gains: NDArray[np.float64], random: np.random.Generator | None) -> tuple[float, float, float]:
    """A mean difference and the ends of its paired 95% interval; NaN for ends where no image differs.

    Args:
        gains: How much the one did better than the other on each image, shape (images,), one at least.
        random: Of the bootstrap; ``None`` where gains are of hits, whose interval is exact.
    """
    if not gains.any():
        return 0.0, math.nan, math.nan
    return float(gains.mean()), *(exact_interval(gains) if random is None else bootstrap_interval(gains, random))


def verdict(table: Measured, measure: Measure, what: str) -> str:
    """Which row is best by a measure, and whether the first method can be told from it, as a sentence.

    Args:
        table: Rows of methods.
        measure: What to judge by.
        what: What the best one does, as the sentence says it: "points best".
    """
    rows = [row for row in table.rows if not math.isnan(row[measure.name])]
    if not rows:
        return "There was nothing to measure."
    best = max(rows, key=lambda row: measure.better * row[measure.name])
    unit = "%" if measure.scale == 100 else ""
    figure = f"{best[measure.name]:.3g}{unit} {'of' if unit else 'on'} {best['images']} images"
    tied = list(dict.fromkeys(str(row["method"]) for row in rows if row[measure.name] == best[measure.name]))
    if len(tied) > 1:
        return f"{', '.join(tied[:-1])} and {tied[-1]} tie: {figure}, and none {what}."
    sentence = f"{best['method']} {what}: {figure}"
    difference = f"{measure.name}_difference"
    if math.isnan(best[difference]):
        return f"{sentence}."
    first = next((row for row in rows if math.isnan(row[difference])), None)
    beside = "" if first is None else f", {first['method']} {first[measure.name]:.3g}{unit}"
    low, high = sorted((best[f"{measure.name}_low"], best[f"{measure.name}_high"]))
    told = "a difference" if low > 0 or high < 0 else "too little to tell the two apart on so few images"
    return f"{sentence}{beside}; {best[difference]:+.3g} (95% interval {low:+.3g} to {high:+.3g}) is {told}."


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def only(table: Measured, **keys: str) -> Measured:
    """Those rows of a table whose columns hold certain values."""
    return replace(table, rows=[row for row in table.rows if all(row[name] == value for name, value in keys.items())])
