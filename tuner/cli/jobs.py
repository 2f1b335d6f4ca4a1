"""Commands that run jobs and look after them."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.cluster import address_option, announce, reach, show_output, storage_env_option, working_dir_option
from tuner.cli.errors import FAILED
from tuner.cli.options import format_option, storage_option
from tuner.cli.output import show

if TYPE_CHECKING:
    from storage.engine import Database
    from storage.models import Outcome

SHOWN = 10
"""Arms of each bandit that are shown when a job ends; `tuner arms` shows all."""

WATCH = 2.0
"""Seconds between two looks at a job."""


@click.command()
@click.argument("job", type=click.Path(path_type=Path))
@storage_option
@click.option("--name", help="Name of the job; the job file's unless given.")
def run(job: Path, storage: str, name: str | None) -> None:
    """Run the job of a file here, to its end.

    Everything in it is checked first. Ctrl-C commits what is known and stops; `tuner resume` goes on.
    """
    from storage.engine import Database
    from tuner.cli.running import check, start
    from tuner.spec.job import load_job

    plan = check(load_job(job, name=name))
    with Database.open(storage, create=True) as database:
        show_end(database, plan.spec.name, start(database, plan))


@click.command()
@click.argument("name")
@storage_option
@address_option()
@storage_env_option
@working_dir_option
def resume(name: str, storage: str, address: str | None, storage_env: str, working_dir: Path | None) -> None:
    """Go on with a job that was stopped, failed or whose process died: here, or on the cluster at --address."""
    if address:
        there = reach(address)
        announce(there, there.resume(name, storage_env=storage_env, working_dir=working_dir), wait=False)
        return
    from storage.engine import Database
    from tuner.cli.running import check_stored, play

    with Database.open(storage) as database:
        show_end(database, name, play(database, check_stored(database, name)))


@click.command(name="list")
@storage_option
@format_option
def list_(storage: str, form: str) -> None:
    """Every job, the newest first."""
    from storage.engine import Database
    from tuner.results import tables

    with Database.open(storage) as database, database.reading() as session:
        show(tables.jobs(session), form)


@click.command()
@click.argument("name")
@click.option("--watch", is_flag=True, help="Show it again every two seconds until the job ends or Ctrl-C.")
@storage_option
@format_option
def status(name: str, watch: bool, storage: str, form: str) -> None:
    """Where a job stands: each bandit's leading arm, and what it came to."""
    from storage.engine import Database
    from tuner.results import tables

    with Database.open(storage) as database:
        while True:
            with database.reading() as session:
                table = tables.status(session, name)
            if watch and sys.stdout.isatty() and form == "table":
                click.clear()
            show(table, form)
            if not watch or table.rows[0]["state"] not in ("pending", "running", "stopping"):
                return
            try:
                time.sleep(WATCH)
            except KeyboardInterrupt:
                return


@click.command()
@click.argument("name")
@storage_option
@address_option()
def stop(name: str, storage: str, address: str | None) -> None:
    """Ask whoever runs a job to stop; `tuner resume` goes on with it. With --address, end its process there."""
    if address:
        attempt = reach(address).stop(name)
        click.echo(f"{name}: attempt {attempt.number} was told to stop; go on with `tuner resume {name}`", err=True)
        return
    from storage import leases
    from storage.engine import Database

    with Database.open(storage) as database, database.writing() as session:
        state = leases.request_stop(session, name)
    effect = "was told to stop" if state == "stopping" else "is stopped"
    click.echo(f"{name} {effect}; go on with `tuner resume {name}`", err=True)


@click.command()
@click.argument("name")
@click.option("--output", is_flag=True, help="What its controller wrote on the cluster at --address instead.")
@click.option("--follow", is_flag=True, help="With --output: go on to the end of the job.")
@address_option()
@storage_option
@format_option
def logs(name: str, output: bool, follow: bool, address: str | None, storage: str, form: str) -> None:
    """What happened to a job, in words: attempts, lost workers, failed images."""
    if output:
        if not address:
            raise click.UsageError("--output is a cluster's: give --address")
        show_output(reach(address), name, follow=follow)
        return
    from storage.engine import Database
    from tuner.results import tables

    with Database.open(storage) as database, database.reading() as session:
        show(tables.events(session, name), form)


@click.command()
@click.argument("name")
@storage_option
@format_option
def verify(name: str, storage: str, form: str) -> None:
    """Recompute every counter of a job from its pulls; exit status 1 where one is wrong."""
    from dataclasses import asdict

    from storage import queries
    from storage.engine import Database
    from tuner.results.table import Table

    with Database.open(storage) as database, database.reading() as session:
        found = queries.verify(session, name)
    show(Table("recomputed", [{"name": name, **asdict(found)}]), form)
    if found.problems:
        sys.exit(FAILED)


def show_end(database: "Database", name: str, outcome: "Outcome | None") -> None:
    """Show the best arms of a job that ended, or leave with the status of one that was stopped."""
    if outcome == "stopped":
        sys.exit(FAILED)
    from tuner.results import tables

    with database.reading() as session:
        show(tables.arms(session, name, top=SHOWN), "table")
