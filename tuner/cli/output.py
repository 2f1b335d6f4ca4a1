"""An answer's rows as a table, JSON, CSV or YAML."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tuner.results.cells import csv_cell, plain, shown, text

if TYPE_CHECKING:
    from tuner.results.table import Table

Row = Mapping[str, Any]


def show(table: "Table", form: str) -> None:
    """Write a table to stdout.

    Args:
        table: The answer.
        form: ``table``, with its title and notes, or its data alone as ``json``, ``csv`` or ``yaml``.
    """
    if form == "table":
        _table([{key: row[key] for key in row if key not in table.data} for row in table.rows], table.title)
        for note in table.notes:
            click.echo(note)
    else:
        click.echo(render(table.rows, form), nl=False)


def render(rows: Sequence[Row], form: str) -> str:
    """Rows as text: JSON (a list of objects), YAML (the same) or CSV (a header, then a line a row)."""
    if form == "csv":
        lines = io.StringIO()
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        if rows:
            writer.writeheader()
        writer.writerows({key: csv_cell(value) for key, value in shown(row).items()} for row in rows)
        return lines.getvalue()
    values = [{key: plain(value) for key, value in row.items()} for row in rows]
    if form == "json":
        return json.dumps(values, indent=2, allow_nan=False) + "\n"
    from tracer.documents import dump_document

    return dump_document(values)


def _table(rows: Sequence[Row], title: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    if not rows:
        table.add_column("nothing here")
    for key in rows[0] if rows else ():
        number = any(isinstance(row[key], (int, float)) and not isinstance(row[key], bool) for row in rows)
        table.add_column(key, justify="right" if number else "left")
    for row in rows:
        table.add_row(*(text(value) for value in shown(row).values()))
    # Names of files and classes are no markup, and hold no emoji, whatever brackets and colons are in them.
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)
