"""An answer's rows as a table, JSON, CSV or YAML."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from tracer.printable import printable

Row = Mapping[str, Any]


def show(rows: Sequence[Row], form: str, title: str | None = None, notes: Sequence[str] = ()) -> None:
    """Write rows to stdout.

    Args:
        rows: One mapping a row, all with the same keys: the answer's field names.
        form: ``table``, ``json``, ``csv`` or ``yaml``.
        title: Heading of the table; the other forms carry data only.
        notes: Lines below the table.
    """
    if form == "table":
        _table(rows, title)
        for note in notes:
            click.echo(note)
    else:
        click.echo(render(rows, form), nl=False)


def render(rows: Sequence[Row], form: str) -> str:
    """Rows as text: JSON (a list of objects), YAML (the same) or CSV (a header, then a line a row)."""
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        if rows:
            writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
        return text.getvalue()
    plain = [{key: _plain(value) for key, value in row.items()} for row in rows]
    if form == "json":
        return json.dumps(plain, indent=2, allow_nan=False) + "\n"
    import yaml

    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _plain(value: Any) -> Any:
    """A value that JSON and YAML carry: times in ISO 8601, NaN as null."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _cell(value: Any) -> Any:
    """A CSV cell: empty for what is unknown, a list separated by blanks."""
    value = _plain(value)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value


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
        table.add_row(*(_text(value) for value in row.values()))
    # Names of files and classes are no markup, and hold no emoji, whatever brackets and colons are in them.
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return printable(str(value))
