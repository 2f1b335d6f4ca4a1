"""Where a running job stands, on stderr: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from tuner.play.controller import Progress

LINE = 15.0
"""Seconds between two lines where stderr is no terminal."""


class ProgressBar:
    """Shows the pulls made of those allowed, and the leading arm of each bandit; then how far the check is."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._terminal = sys.stderr.isatty()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[leading]}", markup=False),
            console=Console(stderr=True),
            transient=True,
            disable=not self._terminal,
        )
        self._task = self._bar.add_task("starting", total=None, unit="pulls", leading="")
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def report(self, progress: "Progress") -> None:
        """Show where the job stands."""
        from storage.rows import describe

        if progress.number is None:
            self._show("check", progress.scored, progress.images, "images", "")
            return
        pulls, budget = sum(progress.pulls.values()), sum(progress.budget.values())
        leading = "  ".join(
            f"{setting}: {describe(candidate)} ({mean:.2f})" for setting, (candidate, mean) in progress.leading.items()
        )
        images = f"round {progress.number}, image {progress.scored}/{progress.images}"
        if not pulls and not progress.scored:
            images = "starting workers"
        self._show(images, pulls, budget, "pulls", leading and f"leading {leading}")

    def _show(self, stage: str, done: int, total: int, unit: str, leading: str) -> None:
        self._bar.update(self._task, description=stage, completed=done, total=total, unit=unit, leading=leading)
        if not self._terminal and time.monotonic() - self._said >= LINE:
            click.echo(", ".join(filter(None, (stage, f"{done}/{total} {unit}", leading))), err=True)
            self._said = time.monotonic()
