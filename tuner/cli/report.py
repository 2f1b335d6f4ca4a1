"""``tuner report``: a job as one HTML file."""

from pathlib import Path

import click

from tuner.cli.options import storage_option


@click.command()
@click.argument("name")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file to write.",
)
@click.option(
    "--pictures",
    type=click.IntRange(min=0, max=40),
    default=12,
    show_default=True,
    help="Images to show: those on which base and learned settings differ most.",
)
@storage_option
def report(name: str, output: Path, pictures: int, storage: str) -> None:
    """Write what a job came to as one HTML file, which opens anywhere without network or script.

    The verdict comes first, in words; then what was tuned, base against learned on the images kept aside, the arms and
    their race, what would change the verdict, and how the report was made. Images are explained again by the job's
    network; where images or network are not at hand, or are others than the job saw, a sentence says so instead.
    """
    from storage.engine import Database
    from tuner.report import make_report, write

    with Database.open(storage) as database, database.reading() as session:
        made = make_report(session, name)
    write(made, output, pictures)
    click.echo(str(output))
