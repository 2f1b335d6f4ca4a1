"""``tuner demo``: the whole product on data that every machine has."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.options import storage_option

if TYPE_CHECKING:
    from storage.engine import Database
    from storage.models import Outcome
    from tuner.spec.job import JobSpec


@click.command()
@click.option(
    "--name",
    default="digits",
    show_default=True,
    help="Name of the job. One that is stored already is resumed, or its result is used.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder for the weight file and the pictures.",
)
@storage_option
def demo(name: str, output: Path, storage: str) -> None:
    """Tune a small network on handwritten digits, show what was gained and explain three images, before and after.

    The images explained are some that were kept from the bandit; each picture shows base and learned settings.
    """
    from storage.engine import Database
    from tuner.cli.jobs import show_end
    from tuner.demo import digits_job, explain
    from tuner.results.export import export

    spec = digits_job(name)
    weights = output / f"{name}.yaml"
    output.mkdir(parents=True, exist_ok=True)
    with Database.open(storage, create=True) as database:
        show_end(database, name, _tune(database, spec))
        with database.reading() as session:
            export(session, weights, name=name)
    pictures = explain(spec, weights, output / name)
    click.echo(f"weight file: {weights}")
    for picture in pictures:
        click.echo(f"base and learned side by side: {picture}")


def _tune(database: "Database", spec: "JobSpec") -> "Outcome | None":
    """Run the job, or go on with it where the database holds it already; returns how it ended."""
    from storage import queries
    from storage.errors import UnknownJobError
    from tuner.cli.running import check, check_stored, play, start

    try:
        with database.reading() as session:
            job = queries.job(session, spec.name)
    except UnknownJobError:
        return start(database, check(spec))
    return job.outcome if job.state == "finished" else play(database, check_stored(database, spec.name))
