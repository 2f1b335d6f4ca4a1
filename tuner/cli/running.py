"""Run a job in this process: prepare it, play it, and say what came out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tuner.cli.progress import ProgressBar

if TYPE_CHECKING:
    from storage.engine import Database
    from storage.models import Outcome
    from tuner.play.plan import Plan
    from tuner.spec.job import JobSpec


class Wish:
    """Whether the user wants to stop: Ctrl-C, or SIGTERM as a cluster sends it. A second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.stop = False

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.stop

    @contextmanager
    def take_signals(self) -> Iterator[None]:
        """Take the signals while a job runs."""
        before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _frame: object) -> None:
        self.stop = True
        click.echo("stopping: what is known is being committed", err=True)
        signal.signal(number, signal.default_int_handler)


def start(database: "Database", plan: "Plan") -> "Outcome":
    """Store a new job and play it to its end; returns how it ended."""
    from tuner.play.lifecycle import create

    create(database, plan)
    return play(database, plan)


def play(database: "Database", plan: "Plan") -> "Outcome":
    """Play a stored job with workers on Ray, its progress on stderr; returns how it ended."""
    from storage import queries
    from tuner.play import lifecycle
    from tuner.results.cells import OUTCOMES
    from tuner.results.endings import nothing_succeeded
    from tuner.spec.job import TRACER

    wish = Wish()
    with wish.take_signals(), ProgressBar() as bar:
        outcome = lifecycle.play(database, plan, stop=wish, report=bar.report)
    name = plan.spec.name
    if outcome == "stopped":
        click.echo(f"{name}: stopped; go on with `tuner resume {name}`", err=True)
    else:
        with database.reading() as session:
            nothing = nothing_succeeded(queries.job(session, name), queries.bandits(session, name))
        export = plan.spec.explainer == TRACER and nothing is None
        hint = f"write its weights with `tuner export {name} -o FILE`" if export else f"see `tuner status {name}`"
        click.echo(f"{name}: {OUTCOMES[outcome]} ({outcome}); {hint}", err=True)
    return outcome


def check(spec: "JobSpec") -> "Plan":
    """Check everything a new job needs, before the database is touched."""
    from tuner.play import lifecycle

    click.echo(f"checking {spec.name}: images and network", err=True)
    if spec.reward.judges_map and "cut" in spec.arms:
        told = f"note: {spec.reward.name} judges the map, to which all its cuts are equal; leave cut out of arms"
        click.echo(told, err=True)
    return lifecycle.check(spec)


def check_stored(database: "Database", name: str) -> "Plan":
    """Check everything that a stored job needs to go on."""
    from tuner.play import lifecycle

    click.echo(f"checking {name}: images and network", err=True)
    return lifecycle.check(lifecycle.stored_spec(database, name))
