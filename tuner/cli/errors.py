"""Which errors a user is told in one line, and with which exit status."""

import click

FAILED = 1
BAD_INPUT = 2


def exit_status(error: Exception) -> int | None:
    """The exit status an error of this project stands for; ``None`` for what click handles itself and for bugs."""
    if isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort)):
        return None
    # Imported here, where an error is already at hand: their packages are heavy.
    from storage.errors import InvalidUrlError, StorageError, UnknownJobError
    from tracer.errors import TracerError
    from tuner.errors import DatasetError, JobError, SpecError, TunerError

    if isinstance(error, (SpecError, DatasetError, JobError, TracerError, InvalidUrlError, UnknownJobError)):
        return BAD_INPUT
    if isinstance(error, (TunerError, StorageError)):
        return FAILED
    return None
