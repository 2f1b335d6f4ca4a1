"""An answer's rows as a table, JSON, CSV or YAML."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from tracer.printable import printable

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
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _cell(value: Any) -> Any:
    """A CSV cell: empty for what is unknown, a list separated by blanks, a combination as in a table."""
    value = _plain(value)
    if isinstance(value, (list, Mapping)):
        return _joined(value, str)
    return "" if value is None else value


def _joined(value: Any, text: Callable[[Any], str]) -> str:
    """``1 2`` of a list, ``cur=1 cut=0.3`` of a combination, with commas between combinations."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={text(item)}" for key, item in value.items())
    combinations = any(isinstance(item, Mapping) for item in value)
    return (", " if combinations else " ").join(_joined(i, text) if isinstance(i, Mapping) else text(i) for i in value)


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
    if isinstance(value, (list, Mapping)):
        return _joined(value, _text)
    return printable(str(value))
