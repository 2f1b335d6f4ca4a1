"""What an experiment came to: a verdict, tables whose columns are explained, and pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tuner.results.cells import NONE_DIFFERS
from tuner.results.table import Row, Table


@dataclass(frozen=True)
class Measured(Table):
    """A table of an experiment.

    Args:
        columns: What each column means, by its name, for a reader who does not know the field.
    """

    columns: Mapping[str, str] = field(default_factory=dict)

    def merged(self) -> Table:
        """The table as a person reads it: a value with its standard error, a difference with its interval."""
        return Table(self.title, [_merged(row) for row in self.rows], self.notes)


def _merged(row: Row) -> Row:
    stems = [name.removesuffix("difference") for name in row if name.endswith("difference")]
    ends = {stem + "difference": (stem + "low", stem + "high") for stem in stems if stem + "low" in row}
    told = {end for pair in ends.values() for end in pair}
    merged: Row = {}
    for name, value in row.items():
        if f"{name}_se" in row:
            merged[name] = _text(value, f"{value:.4g} ± {row[f'{name}_se']:.2g}")
        elif name in ends:
            low, high = (row[end] for end in ends[name])
            interval = NONE_DIFFERS if math.isnan(low) else f"{low:+.3g} to {high:+.3g}"
            merged[name.replace("_", " ")] = _text(value, f"{value:+.3g} ({interval})")
        elif not name.endswith("_se") and name not in told:
            merged[name] = value
    return merged


def _text(value: float, text: str) -> str:
    return "" if math.isnan(value) else text


@dataclass(frozen=True)
class Picture:
    """A figure of an experiment.

    Args:
        title: What it shows, a line.
        caption: How it is to be read.
        png: The file's bytes.
    """

    title: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Result:
    """What an experiment came to.

    Args:
        title: The question that was asked.
        verdict: The answer, one sentence for a newcomer.
        tables: The figures behind it.
        pictures: What can be looked at.
    """

    title: str
    verdict: str
    tables: tuple[Measured, ...]
    pictures: tuple[Picture, ...] = ()

    @property
    def rows(self) -> list[Row]:
        """The rows of all tables; where there are several, each names its table and has the columns of all."""
        if len(self.tables) == 1:
            return self.tables[0].rows
        columns = dict.fromkeys(column for table in self.tables for column in table.columns)
        return [{"table": table.title, **dict.fromkeys(columns), **row} for table in self.tables for row in table.rows]

    def with_seen(self, seen: Mapping[str, int]) -> "Result":
        """The same, where every table says on how many of its images each method's settings were learned.

        Args:
            seen: Method name → how many.
        """
        worst = max(seen.values(), default=0)
        note = f"Settings were learned on up to {worst} of these images (column seen): that flatters their methods."
        meaning = "on how many of the images the method's settings were learned"
        tables = tuple(
            replace(
                table,
                rows=[row | {"seen": seen.get(str(row.get("method", row.get("network"))), 0)} for row in table.rows],
                notes=(*table.notes, note),
                columns={**table.columns, "seen": meaning},
            )
            for table in self.tables
        )
        return replace(self, verdict=f"{self.verdict} {note}", tables=tables)
