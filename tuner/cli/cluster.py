"""Commands that reach a Ray cluster: ``submit`` and ``attempts`` here, ``drive`` on the cluster itself."""

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tuner.cli.options import format_option
from tuner.cli.output import show

if TYPE_CHECKING:
    from storage.engine import Database
    from tuner.launch import Attempt, Cluster
    from tuner.spec.job import JobSpec

Command = TypeVar("Command", bound=Callable[..., Any])


def address_option(*, required: bool = False) -> Callable[[Command], Command]:
    """``--address URL``, else ``RAY_API_SERVER_ADDRESS``: the cluster a command acts on."""
    return click.option(
        "--address",
        metavar="URL",
        envvar="RAY_API_SERVER_ADDRESS",
        required=required,
        help="Dashboard of a Ray cluster, http://HEAD:8265; RAY_API_SERVER_ADDRESS in the environment.",
    )


def storage_env_option(command: Command) -> Command:
    """``--storage-env NAME``: where the cluster keeps the database's URL."""
    return click.option(
        "--storage-env",
        metavar="NAME",
        default="TUNER_STORAGE",
        show_default=True,
        help="Name of the environment variable that holds the database's URL on the cluster.",
    )(command)


def working_dir_option(command: Command) -> Command:
    """``--working-dir DIR``: what the job needs beside its file."""
    return click.option(
        "--working-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder to send to the cluster, a network of your own, say; a job file must lie in it. "
        "Keys, .env files and their kind are left out.",
    )(command)


def reach(address: str) -> "Cluster":
    """The cluster at an address, without Ray's own chatter."""
    from tuner.launch import connect

    logging.disable(logging.INFO)
    return connect(address)


@click.command()
@click.argument("job", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@address_option(required=True)
@click.option("--name", help="Name of the job; the job file's unless given.")
@storage_env_option
@working_dir_option
@click.option("--wait", is_flag=True, help="Follow the job's output; exit with 0 only if it finishes.")
def submit(
    *, job: Path, address: str, name: str | None, storage_env: str, working_dir: Path | None, wait: bool
) -> None:
    """Run a job on a Ray cluster, or go on with it there if it ran before.

    Paths in the job file are the cluster's. Its database is PostgreSQL, at the URL in --storage-env there.
    """
    from tuner.spec.job import load_job

    name = load_job(job, name=name).name
    cluster = reach(address)
    announce(cluster, cluster.submit(job, name, storage_env=storage_env, working_dir=working_dir), wait=wait)


@click.command()
@click.argument("name", required=False)
@address_option(required=True)
@format_option
def attempts(name: str | None, address: str, form: str) -> None:
    """Runs of a job on a cluster (of every job, if none is named): what became of each process.

    What the job itself came to is the database's to say: tuner status.
    """
    from tuner.results.table import Table

    rows = [
        {
            "name": attempt.name,
            "attempt": attempt.number,
            "state": attempt.state,
            "started": attempt.started,
            "ended": attempt.ended,
        }
        for attempt in reach(address).attempts(name)
    ]
    show(Table("attempts", rows), form)


def announce(cluster: "Cluster", attempt: "Attempt", *, wait: bool) -> None:
    """Say what runs now and how to follow it, or follow it to its end."""
    click.echo(f"{attempt.name}: attempt {attempt.number} runs on the cluster as {attempt.submission}", err=True)
    if not wait:
        for verb, what in (
            ("status", "where it stands"),
            ("logs", "what happened to it"),
            ("stop", "end it; resume goes on"),
        ):
            click.echo(f"  tuner {verb} {attempt.name:<24} {what}", err=True)
        click.echo(attempt.name)
        return
    ended = _follow(cluster, attempt.name, err=True)
    if ended.state != "succeeded":
        sys.exit(1)


def show_output(cluster: "Cluster", name: str, *, follow: bool) -> None:
    """Show on stdout what a job's newest attempt wrote; with ``follow``, go on until it ends."""
    if follow:
        _follow(cluster, name, err=False)
    else:
        click.echo(cluster.logs(name), nl=False)


def _follow(cluster: "Cluster", name: str, *, err: bool) -> "Attempt":
    """Show a job's output until it ends; Ctrl-C leaves it running."""
    try:
        return cluster.follow(name, lambda lines: click.echo(lines, nl=False, err=err))
    except KeyboardInterrupt:
        click.echo(f"\nno longer following; it goes on: tuner stop {name} ends it", err=True)
        sys.exit(1)


@click.command(hidden=True)
@click.argument("job", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name")
@click.option("--resume", "resumed", metavar="NAME")
@storage_env_option
def drive(job: Path | None, name: str | None, resumed: str | None, storage_env: str) -> None:
    """Run the controller of a job here, on the cluster: what `tuner submit` has Ray start."""
    from storage.errors import LeaseHeldError

    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("tuner").setLevel(logging.INFO)
    storage = cluster_storage(storage_env)
    try:
        outcome = _drive(job, name, resumed, storage)
    except LeaseHeldError as held:
        # Ray runs one attempt of a job at a time, so the holder died without letting go: it is free in seconds.
        wait = held.seconds + 1  # by the database's clock: this machine's may differ from it
        click.echo(f"{held}; waiting {wait:.0f} s", err=True)
        time.sleep(wait)
        outcome = _drive(job, name, resumed, storage)
    if outcome == "stopped":
        sys.exit(1)


def _drive(job: Path | None, name: str | None, resumed: str | None, storage: str) -> str:
    from storage.engine import Database
    from tuner.cli import running
    from tuner.spec.job import load_job

    if job is None:
        if resumed is None:
            raise click.UsageError("give a job file, or --resume NAME")
        with Database.open(storage) as database:
            return running.play(database, running.check_stored(database, resumed))
    spec = load_job(job, name=name)
    with Database.open(storage, create=True) as database:
        if _is_stored(database, spec):
            return running.play(database, running.check_stored(database, spec.name))
        return running.start(database, running.check(spec))


def _is_stored(database: "Database", spec: "JobSpec") -> bool:
    """Whether this very job is in the database already, so that it goes on instead of starting."""
    from storage import queries
    from storage.errors import UnknownJobError

    with database.reading() as session:
        try:
            return dict(queries.job(session, spec.name).spec) == spec.canonical()
        except UnknownJobError:
            return False


def cluster_storage(variable: str) -> str:
    """The URL of the cluster's database, from an environment variable.

    Raises:
        ClusterError: If the variable is not set, or names a database that several machines cannot share.
    """
    from storage.engine import parse_url
    from tuner.errors import ClusterError

    url = os.environ.get(variable)
    if not url:
        raise ClusterError(f"{variable} is not set on the cluster: set it to the database's URL where Ray is started")
    if parse_url(url).get_backend_name() == "sqlite":
        raise ClusterError(
            f"{variable} names an SQLite database: it is a file of one machine, and its locks do not hold across "
            "machines; set it to postgresql://USER:PASSWORD@HOST/NAME"
        )
    return url
