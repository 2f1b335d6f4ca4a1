"""Where jobs run that the service starts: on its own machine, a process each, or on a Ray cluster."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import yaml

from tracer.printable import printable
from tuner.errors import BusyError
from tuner.service import schema
from tuner.service.options import TOKEN, Control
from tuner.spec.job import JobSpec

if TYPE_CHECKING:
    from tuner.launch import Cluster

REMEMBERED = 50
"""Processes that are told of after their end, the newest."""


class Runs(Protocol):
    """Starts the controllers of jobs."""

    def start(self, spec: JobSpec) -> str:
        """Start a new job; returns what was done, in words.

        Raises:
            BusyError: If no more jobs may run.
            ClusterError: If the cluster refuses.
        """
        ...

    def resume(self, name: str) -> str:
        """Go on with a stored job; returns what was done, in words. Raises as :meth:`start`."""
        ...

    def starting(self, name: str) -> JobSpec | None:
        """The job of that name that was started here and may not be in the database yet."""
        ...

    def told(self) -> list[schema.Run]:
        """What became of what was started here, the newest first."""
        ...

    def standing(self) -> str:
        """A short text that changes when the processes of this machine do."""
        ...


@dataclass
class _Process:
    name: str
    spec: JobSpec | None
    process: "subprocess.Popen[bytes]"
    log: Path
    started: datetime

    @property
    def state(self) -> str:
        code = self.process.poll()
        return "running" if code is None else "failed" if code else "done"

    def told(self) -> schema.Run:
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "")
        return schema.Run(name=self.name, state=self.state, started=self.started, detail=printable(last)[:500])


class LocalRuns:
    """Jobs as processes of this machine, which go on when the server ends.

    Args:
        storage: URL of the database; a process gets it in its environment, where other users cannot see it.
        most: Processes at a time.
    """

    def __init__(self, storage: str, most: int) -> None:
        self._storage = storage
        self._most = most
        self._folder = Path(tempfile.mkdtemp(prefix="tuner-service-"))  # readable by this user alone
        self._processes: list[_Process] = []
        self._lock = threading.Lock()

    def start(self, spec: JobSpec) -> str:
        """Run a new job in a process of its own."""
        file = self._folder / f"{spec.name}.yaml"
        file.write_text(yaml.safe_dump(spec.canonical(), sort_keys=False, allow_unicode=True), "utf-8")
        return self._begin(spec.name, spec, ["run", str(file)])

    def resume(self, name: str) -> str:
        """Go on with a job in a process of its own."""
        return self._begin(name, None, ["resume", "--", name])

    def starting(self, name: str) -> JobSpec | None:
        """The job of that name whose process runs."""
        with self._lock:
            return next((p.spec for p in self._processes if p.name == name and p.spec and p.state == "running"), None)

    def told(self) -> list[schema.Run]:
        """What became of the processes."""
        with self._lock:
            return [process.told() for process in reversed(self._processes)]

    def standing(self) -> str:
        """The names and states of the processes."""
        with self._lock:
            return " ".join(f"{process.process.pid} {process.state}" for process in self._processes)

    def _begin(self, name: str, spec: JobSpec | None, arguments: Sequence[str]) -> str:
        with self._lock:
            running = [process for process in self._processes if process.state == "running"]
            if any(process.name == name for process in running):
                return "its process runs already"
            if len(running) >= self._most:
                raise BusyError(f"{len(running)} jobs run here already; wait for one to end, or stop it")
            log = self._folder / f"{name}.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tuner", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment(),
                    start_new_session=True,  # Ctrl-C is the server's, not the job's
                )
            ended = [each for each in self._processes if each.name != name][-REMEMBERED:]
            self._processes = [*ended, _Process(name, spec, process, log, datetime.now(UTC))]
        return f"process {process.pid} runs it here"

    def _environment(self) -> dict[str, str]:
        """The server's environment with the database's URL, without the server's token."""
        kept = {key: value for key, value in os.environ.items() if key != TOKEN}
        return kept | {"TUNER_STORAGE": self._storage}


class ClusterRuns:
    """Jobs on a Ray cluster.

    Args:
        control: Names the cluster.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def start(self, spec: JobSpec) -> str:
        """Submit a new job."""
        with tempfile.TemporaryDirectory(prefix="tuner-service-") as folder:
            file = Path(folder) / "job.yaml"
            file.write_text(yaml.safe_dump(spec.canonical(), sort_keys=False, allow_unicode=True), "utf-8")
            attempt = self._cluster.submit(file, spec.name, storage_env=self._control.storage_env)
        return f"attempt {attempt.number} runs on the cluster"

    def resume(self, name: str) -> str:
        """Submit a stored job once more."""
        attempt = self._cluster.resume(name, storage_env=self._control.storage_env)
        return f"attempt {attempt.number} runs on the cluster"

    def starting(self, name: str) -> JobSpec | None:  # noqa: ARG002 (the cluster refuses a second attempt by itself)
        """Never any."""
        return None

    def told(self) -> list[schema.Run]:
        """What the cluster says of its attempts."""
        return [
            schema.Run(
                name=attempt.name,
                state="running" if attempt.running else "done" if attempt.state == "succeeded" else "failed",
                started=attempt.started or datetime.now(UTC),
                detail=f"attempt {attempt.number} is {attempt.state}",
            )
            for attempt in reversed(self._cluster.attempts()[-REMEMBERED:])
        ]

    def standing(self) -> str:
        """Always the same: the database tells what runs on the cluster."""
        return ""

    @property
    def _cluster(self) -> "Cluster":
        from tuner.launch import connect

        return connect(str(self._control.address))


def make_runs(storage: str, control: Control) -> Runs:
    """Where a server's jobs run."""
    return LocalRuns(storage, control.most) if control.address is None else ClusterRuns(control)
