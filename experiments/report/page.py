"""The page of a report: verdicts first, then the tables with their plots and pictures."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jinja2 import PackageLoader

from experiments.report.answers import Answer
from experiments.result import Measured
from experiments.result import Picture as Drawn
from tracer.files import sha256
from tracer.images import Embedded, open_image
from tuner.pages.charts import Interval, IntervalChart, Reference
from tuner.pages.report import Made, Picture, embed, write_page
from tuner.paired import images_needed
from tuner.results.cells import plain, text
from tuner.results.table import Row

WIDTH, HEIGHT = 1000, 6000
"""Pixels of a picture, at most."""

MOST = 40
"""Rows that a plot shows, at most."""

ENDS = ("difference", "low", "high")
"""What is added to a measure's name for its difference to the first method, and for the ends of its interval."""

FIRST = "the first method"
"""What differences are to, where a table does not name it."""

PACKAGES = ("bandit-tracer", "torch", "torchvision", "numpy", "captum", "grad-cam", "torchcam", "zennit", "foolbox")


@dataclass(frozen=True)
class Section:
    """What is shown of an experiment.

    Args:
        answer: What its command came to.
        tables: Each table with its plots.
        pictures: Its pictures.
    """

    answer: Answer
    tables: Sequence[tuple[Measured, Sequence[IntervalChart]]]
    pictures: Sequence[Picture]


def write(answers: Sequence[Answer], output: Path) -> None:
    """Write a report as one HTML file.

    Args:
        answers: What the experiments came to, one at least.
        output: The file; replaced whole, or left as it was.

    Raises:
        TracerError: If the file cannot be written.
    """
    pictures = sum(len(answer.result.pictures) for answer in answers)
    sections = [_section(number, answer, pictures) for number, answer in enumerate(answers, 1)]
    made = Made(
        " \\\n  ".join([f"experiments report -o {output.name}", *(answer.command for answer in answers)]),
        {
            **{f"SHA-256 of {path.name}": sha256(path) for answer in answers for path in answer.files.values()},
            **_versions(),
        },
        json.dumps([{"command": answer.command, "options": plain(answer.options)} for answer in answers], indent=2),
        {"experiments": [_data(answer) for answer in answers]},
    )
    conditions = [condition for answer in answers for table in answer.result.tables for condition in _open(table)]
    loader = PackageLoader("experiments.report")
    write_page(output, loader, "experiments.html", sections=sections, conditions=conditions, made=made)


def _section(number: int, answer: Answer, pictures: int) -> Section:
    tables = [
        (table, list(_charts(table, f"experiment-{number}-{place}")))
        for place, table in enumerate(answer.result.tables)
    ]
    return Section(answer, tables, [_picture(drawn, pictures) for drawn in answer.result.pictures])


def _charts(table: Measured, name: str) -> Iterator[IntervalChart]:
    """Each measure with its standard error as a 95% interval, then its differences to the first method."""
    for measure in _measures(table):
        known = [row for row in table.rows if _all_known(row, measure, f"{measure}_se")]
        items = [_mean(table, row, measure) for row in known[:MOST]]
        words = measure.replace("_", " ")
        if items:
            most = max(items, key=lambda item: item.value)
            yield IntervalChart(
                f"{name}-{measure}",
                f"{table.title}: {words}, with 1.96 standard errors to each side",
                f"{len(items)} rows; {most.label} has the highest value, {text(most.value)}.",
                items,
                words,
                "row",
                unit="number",
            )
        compared = [row for row in known[:MOST] if _is_compared(row, measure)]
        if compared:
            references = [row for row in known if math.isnan(row[f"{measure}_difference"])]
            first = str(references[0].get("method", FIRST)) if references else FIRST
            differences = [Interval(_label(table, row), *_difference(row, measure)) for row in compared]
            apart = sum(not item.low <= 0 <= item.high for item in differences)
            yield IntervalChart(
                f"{name}-{measure}-difference",
                f"{table.title}: {words} less that of {first}, on the same images",
                f"{len(differences)} differences with their paired 95% intervals; {apart} of them do not hold 0.",
                differences,
                f"{words}, difference to {first}",
                "row",
                unit="number",
                reference=Reference(first, 0.0),
            )


def _mean(table: Measured, row: Row, measure: str) -> Interval:
    """A mean with 1.96 standard errors to each side; a percentage stays one."""
    value, reach = row[measure], 1.96 * row[f"{measure}_se"]
    low, high = value - reach, value + reach
    if table.columns[measure].endswith("(percent)") and 0 <= value <= 100:
        low, high = max(low, 0.0), min(high, 100.0)
    return Interval(_label(table, row), value, low, high)


def _difference(row: Row, measure: str) -> tuple[float, float, float]:
    """A difference and the ends of its interval."""
    difference, low, high = (float(row[f"{measure}_{end}"]) for end in ENDS)
    return difference, low, high


def _open(table: Measured) -> Iterator[str]:
    """Which differences of a table are open, and how many images would settle the one that needs the fewest."""
    for measure in _measures(table):
        found = []
        for row in table.rows:
            if _is_compared(row, measure):
                needed = images_needed(row["images"], *_difference(row, measure))
                found += [] if needed is None else [(needed, _label(table, row), row["images"])]
        if found:
            needed, label, images = min(found)
            yield (
                f"{table.title}, {measure.replace('_', ' ')}: {len(found)} rows cannot be told from {FIRST}. "
                f"Were its difference to stay as it is, {label} would take about {needed} images in place of {images}."
            )


def _measures(table: Measured) -> list[str]:
    """The measures of a table: the columns whose standard error stands beside them."""
    return [name for name in table.columns if f"{name}_se" in table.columns]


def _label(table: Measured, row: Row) -> str:
    """What names a row: the columns that hold words."""
    return ", ".join(str(row[name]) for name in table.columns if isinstance(row.get(name), str) and row[name])


def _is_compared(row: Row, measure: str) -> bool:
    """Whether a row has a difference with its interval."""
    return _all_known(row, *(f"{measure}_{end}" for end in ENDS))


def _all_known(row: Row, *columns: str) -> bool:
    """Whether a row has a finite number in each of these columns."""
    return all(isinstance(row.get(name), (int, float)) and math.isfinite(row[name]) for name in columns)


def _picture(drawn: Drawn, pictures: int) -> Picture:
    with open_image(Embedded(drawn.title, lambda: drawn.png)) as image:
        source, small = embed(image, WIDTH, HEIGHT, pictures)
    return Picture(drawn.title, drawn.caption, source, small.width, small.height)


def _data(answer: Answer) -> dict[str, object]:
    tables = [
        {"title": table.title, "columns": dict(table.columns), "rows": table.rows, "notes": list(table.notes)}
        for table in answer.result.tables
    ]
    return {
        "command": answer.command,
        "options": answer.options,
        "question": answer.result.title,
        "verdict": answer.result.verdict,
        "tables": tables,
    }


def _versions() -> dict[str, str]:
    """Versions of the packages that are installed, of those that methods come from."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
