"""The services of docker-compose.yml as plain processes, with the commands and environments compose would give."""

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""Where a host finds programs: this environment's first."""


@dataclass(frozen=True)
class Service:
    """What compose would start.

    Args:
        command: Its command line, word by word.
        environment: What the file sets for it.
        check: The command of its health check.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    check: tuple[str, ...]


def services(variables: dict[str, str]) -> dict[str, Service]:
    """Every service of the project's compose file that has a command, with ``${...}`` filled in from ``variables``."""
    document = yaml.safe_load(fill((ROOT / "docker-compose.yml").read_text(), variables))
    return {name: _service(told) for name, told in document["services"].items() if "command" in told}


def _service(told: dict[str, Any]) -> Service:
    return Service(
        command=tuple(shlex.split(told["command"])),
        environment=told["environment"],
        check=tuple(told.get("healthcheck", {}).get("test", ["CMD"])[1:]),
    )


def fill(text: str, variables: dict[str, str]) -> str:
    """``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}`` replaced as compose does.

    Raises:
        KeyError: If a required variable is not given; its message is the file's.
    """

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match["name"], match["operator"], match["rest"]
        if variables.get(name):
            return variables[name]
        if operator == ":-":
            return rest
        raise KeyError(rest or name)

    return re.sub(r"\$\{(?P<name>\w+)(?P<operator>:[-?])?(?P<rest>[^}]*)\}", value, text)


def environment(service: Service, home: Path) -> dict[str, str]:
    """The environment of a service's process here: what the file sets, and the image's part of it."""
    image = {"PATH": PATH, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    return {**image, "HOME": str(home), **service.environment}
