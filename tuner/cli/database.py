"""Commands that look after the database itself."""

import click

from tuner.cli.options import storage_option


@click.group()
def db() -> None:
    """The schema of the database of jobs."""


@db.command()
@storage_option
def upgrade(storage: str) -> None:
    """Bring the database's schema up to this version's, making the database where there is none."""
    from storage.engine import upgrade as bring_up

    click.echo(bring_up(storage))


@db.command()
@storage_option
def current(storage: str) -> None:
    """The schema's revision, and the one that this version needs."""
    from storage.engine import SCHEMA
    from storage.engine import current as found

    revision = found(storage)
    click.echo(f"{revision or 'none'} (this version needs {SCHEMA})")
