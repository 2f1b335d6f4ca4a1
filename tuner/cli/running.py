"""Run a job in this process: prepare it, play it, and say what came out."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from tuner.cli.progress import ProgressBar

if TYPE_CHECKING:
    from tuner.play.lifecycle import Plan
    from tuner.spec.job import JobSpec


class Wish:
    """Whether the user wants to stop: Ctrl-C, or SIGTERM as a cluster sends it. A second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.stop = False

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.stop

    @contextmanager
    def heeded(self) -> Iterator[None]:
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


def start(spec: "JobSpec", storage: str) -> str:
    """Create a job and run it to its end; returns how it ended.

    Everything is checked before the database is touched.
    """
    from storage.engine import Database
    from tuner.play.lifecycle import create, prepare

    click.echo(f"checking {spec.name}: images, boxes, network", err=True)
    plan = prepare(spec)
    with Database.open(storage, create=True) as database:
        create(database, plan)
    return run(plan, storage)


def resume(name: str, storage: str) -> str:
    """Go on with a job from the database alone; returns how it ended."""
    from storage import queries
    from storage.engine import Database
    from tuner.errors import JobError
    from tuner.play.lifecycle import prepare
    from tuner.spec.job import stored_job

    with Database.open(storage) as database, database.reading() as session:
        job = queries.job(session, name)
    if job.state == "finished":
        raise JobError(f"job {name!r} is finished; see `tuner arms {name}`")
    spec = stored_job(name, job.spec)
    click.echo(f"checking {name}: images, boxes, network", err=True)
    return run(prepare(spec), storage)


def run(plan: "Plan", storage: str) -> str:
    """Play a stored job with workers on Ray, its progress on stderr."""
    from storage.engine import Database
    from tuner.play.lifecycle import play
    from tuner.workers.actors import RayPool, start_ray

    wish = Wish()

    def make_pool() -> RayPool:
        start_ray(plan.spec)
        return RayPool(plan.spec, plan.dataset)

    with Database.open(storage) as database, wish.heeded(), ProgressBar() as bar:
        outcome = play(database, plan, make_pool, stop=wish, report=bar.report)
    name = plan.spec.name
    if outcome == "stopped":
        click.echo(f"{name}: stopped; go on with `tuner resume {name}`", err=True)
    else:
        click.echo(f"{name}: {outcome}; write its weights with `tuner export {name} -o FILE`", err=True)
    return outcome
