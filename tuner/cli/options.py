"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

DEFAULT_STORAGE = "sqlite:///runs/tuner.db"

Command = TypeVar("Command", bound=Callable[..., Any])


def storage_option(command: Command) -> Command:
    """``--storage URL``, else ``TUNER_STORAGE``, else a SQLite file under ``runs/``."""
    return click.option(
        "--storage",
        metavar="URL",
        envvar="TUNER_STORAGE",
        default=DEFAULT_STORAGE,
        show_default=True,
        help="The database, sqlite:///FILE or postgresql://USER@HOST/NAME; TUNER_STORAGE in the environment.",
    )(command)


def format_option(command: Command) -> Command:
    """``-f table|json|csv|yaml``."""
    return click.option(
        "-f",
        "--format",
        "form",
        type=click.Choice(["table", "json", "csv", "yaml"]),
        default="table",
        show_default=True,
        help="Form of the answer on stdout.",
    )(command)
