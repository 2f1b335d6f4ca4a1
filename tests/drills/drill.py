"""Runs a job's controller as a process of its own, and looks at what it left."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage import queries
from storage.engine import Database

ROOT = Path(__file__).parents[2]

PATIENCE = 600.0
"""Seconds until a process counts as one that hangs: on a machine with much to do, starting takes minutes."""

Outcome = tuple[list[Any], list[Any]]
"""Arms and pulls."""


@dataclass
class Drill:
    """A database and the jobs that are run on it.

    Args:
        storage: Its URL.
        folder: Where workers leave their process numbers.
        environment: Of the processes.
        kind: ``ray`` or ``serial``.
    """

    storage: str
    folder: Path
    environment: dict[str, str]
    kind: str = "ray"

    def start(self, name: str, **options: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.drills.job", self.storage, name, str(self.folder), self.kind],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def workers(self) -> list[int]:
        """Processes of workers that live."""
        return [int(path.name) for path in self.folder.iterdir() if Path("/proc", path.name).exists()]

    def finish(self, name: str) -> None:
        output, _ = self.start(name).communicate(timeout=PATIENCE)
        assert self.finished(name), output

    def finished(self, name: str) -> bool:
        with Database.open(self.storage, create=True) as database, database.reading() as session:
            return any(job.name == name and job.state == "finished" for job in queries.jobs(session))

    def outcome(self, name: str) -> Outcome:
        """See :func:`read_outcome`."""
        return read_outcome(self.storage, name)


def read_outcome(storage: str, name: str) -> Outcome:
    """A job's arms and pulls, but for times; fails where a counter is wrong."""
    with Database.open(storage) as database, database.reading() as session:
        assert queries.verify(session, name).problems == ()
        arms = queries.arms(session, name)
        pulls = queries.pulls(session, name, limit=10_000)
    return (
        [(arm.setting, arm.candidate, arm.pulls, arm.successes, arm.value_sum, arm.may_be_best) for arm in arms],
        [(pull.setting, pull.t, pull.candidate, pull.image, pull.value) for pull in pulls],
    )
