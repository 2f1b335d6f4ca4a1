"""What the commands of a report came to, in the order in which they ran. Light: click alone is imported."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from experiments.result import Result


@dataclass(frozen=True)
class Answer:
    """What one command came to.

    Args:
        command: The command with the options that were given; paths are shortened to names.
        options: All its options, plain values.
        files: The files that it was given, by option.
        result: What it came to.
    """

    command: str
    options: Mapping[str, Any]
    files: Mapping[str, Path]
    result: "Result"


@dataclass
class Answers:
    """The answers of a report, as its commands come to an end."""

    answers: list[Answer] = field(default_factory=list)

    def add(self, context: click.Context, result: "Result") -> None:
        """Keep what the command of a context came to."""
        given = [
            word
            for parameter in context.command.params
            if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
            for word in _words(parameter, context.params[str(parameter.name)])
        ]
        values = {name: _plain(value) for name, value in context.params.items()}
        files = {name: value for name, value in context.params.items() if isinstance(value, Path) and value.is_file()}
        self.answers.append(Answer(shlex.join([str(context.info_name), *given]), values, files, result))


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    """An option as it stands on a command line."""
    name = max(parameter.opts, key=len)
    if isinstance(value, bool):
        return [name if value else max(parameter.secondary_opts, key=len, default=name)]
    if parameter.multiple:
        return [word for one in value for word in (name, str(_plain(one)))]
    return [name, str(_plain(value))]


def _plain(value: Any) -> Any:
    """A value as JSON carries it, and as a command line takes it: the name of a path, ``A-B`` of a range."""
    if isinstance(value, Path) or (isinstance(value, str) and ".py:" in value):
        return Path(value).name
    if isinstance(value, range):
        return f"{value.start + 1}-{value.stop}"
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
