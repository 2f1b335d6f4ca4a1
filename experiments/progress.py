"""How far a command is, on stderr: a bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 30.0
"""Seconds between lines where there is no terminal."""


def counted(done: Iterable[int], total: int, what: str = "images") -> Iterator[int]:
    """Passes on how many were done at a time, and shows how many of all are done and how long the rest will take.

    Args:
        done: Comes as they are done.
        total: How many there are to do in all.
        what: What they are.
    """
    yield from (_bar if sys.stderr.isatty() else _lines)(done, total, what)


def _bar(done: Iterable[int], total: int, what: str) -> Iterator[int]:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        for count in done:
            bar.advance(task, count)
            yield count


def _lines(done: Iterable[int], total: int, what: str) -> Iterator[int]:
    start = told = time.monotonic()
    sofar = 0
    for count in done:
        sofar += count
        now = time.monotonic()
        if now - told >= EVERY:
            told, left = now, (now - start) / sofar * (total - sofar)
            click.echo(f"experiments: {sofar} of {total} {what}, about {left / 60:.0f} min left", err=True)
        yield count
