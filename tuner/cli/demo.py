"""``tuner demo``: the whole product on data that every machine has."""

from pathlib import Path

import click

from tuner.cli.options import storage_option


@click.command()
@click.option("--name", default="digits", show_default=True, help="Name of the job; one that is there is gone on with.")
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
    """Tune a small network on handwritten digits, write its weight file and explain three images with it."""
    from storage import queries
    from storage.engine import Database
    from storage.errors import MissingDatabaseError, UnknownJobError
    from tuner.cli.jobs import end
    from tuner.cli.running import resume, start
    from tuner.demo import digits_job, explain
    from tuner.results.export import export

    spec = digits_job(name)
    try:
        with Database.open(storage) as database, database.reading() as session:
            job = queries.job(session, name)
        outcome = job.outcome if job.state == "finished" else resume(name, storage)
    except (MissingDatabaseError, UnknownJobError):
        outcome = start(spec, storage)
    end(str(outcome), name, storage)
    weights = output / f"{name}.yaml"
    output.mkdir(parents=True, exist_ok=True)
    with Database.open(storage) as database, database.reading() as session:
        export(session, weights, name=name)
    pictures = explain(spec, weights, output / name)
    click.echo(f"weight file: {weights}")
    for picture in pictures:
        click.echo(f"explained: {picture}")
