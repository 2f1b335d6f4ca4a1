"""Which errors a user is told in one line, and with which exit status."""

import re
from importlib.metadata import requires

import click

from tracer.printable import one_line

FAILED = 1
BAD_INPUT = 2
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "pytorch_grad_cam": "grad-cam", "prometheus_client": "prometheus-client"}
"""Distributions whose modules have another name."""


def exit_status(error: Exception) -> int | None:
    """The exit status an error of this project stands for; ``None`` for what click handles itself and for bugs."""
    if isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort)):
        return None
    if missing_extra(error):
        return FAILED
    # Imported here, where an error is already at hand: their packages are heavy.
    from storage.errors import InvalidUrlError, StorageError, UnknownJobError
    from tracer.errors import TracerError
    from tuner.errors import DatasetError, JobError, MissingError, SpecError, TunerError

    ours = (SpecError, DatasetError, JobError, MissingError)
    if isinstance(error, (*ours, TracerError, InvalidUrlError, UnknownJobError)):
        return BAD_INPUT
    if isinstance(error, (TunerError, StorageError)):
        return FAILED
    return None


def error_line(error: Exception) -> str:
    """What is told of an error: its message, or what to install where a library is missing."""
    extra = missing_extra(error)
    if extra and isinstance(error, ModuleNotFoundError):
        return f"this command needs {error.name}: pip install 'bandit-tracer[{extra}]'"
    return one_line(error)


def missing_extra(error: Exception) -> str | None:
    """The extra of this project that brings the library which could not be imported."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    module = error.name.split(".")[0]
    wanted = _DISTRIBUTIONS.get(module, module)
    for requirement in requires("bandit-tracer") or []:
        found = re.match(r"([\w-]+).*extra == [\"'](\w+)[\"']", requirement)
        if found and found[1] == wanted:
            return found[2]
    return None
