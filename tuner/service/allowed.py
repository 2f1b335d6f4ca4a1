"""Which job files the service takes: a job file can name code and files, so what it may name is said at start."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from tuner.errors import RefusedError
from tuner.service.options import Control
from tuner.spec.code import explaining_code, judging_code
from tuner.spec.job import JobSpec


def check_allowed(spec: JobSpec, control: Control) -> None:
    """Make sure that a job names no code and no file beyond what the server was started with.

    Raises:
        RefusedError: If it does; names the key.
    """
    check_code(spec, control.factories)
    _check(judging_code(spec.reward), control.factories)
    for key, path in _paths(spec):
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in control.roots):
            raise RefusedError(f"{key}: {path} lies outside the folders that this server takes files from")


def check_code(spec: JobSpec, factories: frozenset[str]) -> None:
    """Make sure that explaining a job's images runs no factory but these; torchvision's networks have no colon.

    Raises:
        RefusedError: If it does; names the key.
    """
    _check(explaining_code(spec), factories)


def _check(code: Iterable[tuple[str, str]], factories: frozenset[str]) -> None:
    for key, named in code:
        if named not in factories:
            raise RefusedError(
                f"{key}: {named} is code that this server does not run; `tuner serve --allow-factory` allows it"
            )


def _paths(of: BaseModel, within: str = "") -> Iterator[tuple[str, Path]]:
    """The files and folders that a part of a job names, wherever it does, by the key that names them."""
    for key, value in of:
        if isinstance(value, Path):
            yield f"{within}{key}", value
        elif isinstance(value, BaseModel):
            yield from _paths(value, f"{within}{key}.")
