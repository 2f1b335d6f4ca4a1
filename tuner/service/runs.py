"""Where jobs run that the service starts: on its own machine, a process each, or on a Ray cluster."""

import logging
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tracer.documents import dump_document
from tracer.printable import one_line, printable
from tuner.errors import BusyError, ClusterError
from tuner.service import schema
from tuner.service.options import TOKEN, Control
from tuner.spec.job import JobSpec

if TYPE_CHECKING:
    from tuner.launch import Attempt, Cluster

logger = logging.getLogger(__name__)

REMEMBERED = 50
"""Processes that are told of after their end, the newest."""

EVERY = 5.0
"""Seconds between two looks at what became of attempts on a cluster."""


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
        """What became of what was started here, the newest first.

        Raises:
            ClusterError: If the cluster does not answer.
        """
        ...

    def standing(self) -> str:
        """A short text that changes when what is told does; it is asked for again and again, and waits for nobody."""
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
        file.write_text(dump_document(spec.canonical()), "utf-8")
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

    The cluster is asked about its attempts now and then, in a thread of its own: pages and streams wait for no cluster.

    Args:
        connect: Reaches the cluster, or raises :class:`ClusterError`.
        storage_env: Name of the environment variable that holds the database's URL on the cluster.
    """

    def __init__(self, connect: Callable[[], "Cluster"], storage_env: str) -> None:
        self._connect = connect
        self._storage_env = storage_env
        self._submitted: dict[str, JobSpec] = {}
        self._attempts: Sequence[Attempt] = ()
        self._trouble: ClusterError | None = None
        self._asked = -math.inf
        self._asking = threading.Lock()

    def start(self, spec: JobSpec) -> str:
        """Submit a new job."""
        with tempfile.TemporaryDirectory(prefix="tuner-service-") as folder:
            file = Path(folder) / "job.yaml"
            file.write_text(dump_document(spec.canonical()), "utf-8")
            attempt = self._connect().submit(file, spec.name, storage_env=self._storage_env)
        self._submitted[spec.name] = spec
        return self._told_of(attempt)

    def resume(self, name: str) -> str:
        """Submit a stored job once more."""
        return self._told_of(self._connect().resume(name, storage_env=self._storage_env))

    def starting(self, name: str) -> JobSpec | None:
        """The job of that name that was submitted here, while its attempt runs."""
        spec = self._submitted.get(name)
        return spec if spec is not None and self._connect().latest(name).running else None

    def told(self) -> list[schema.Run]:
        """What the cluster said of the latest attempt of each job when it was last asked.

        Raises:
            ClusterError: If it did not answer.
        """
        if self._trouble is not None:
            raise self._trouble
        latest = {attempt.name: attempt for attempt in self._attempts}.values()  # they come by number
        newest = sorted(latest, key=_begun, reverse=True)
        return [_run(attempt) for attempt in newest[:REMEMBERED]]

    def standing(self) -> str:
        """The states of the attempts, as the cluster last told them; has it asked again where that was long ago."""
        if time.monotonic() - self._asked > EVERY and self._asking.acquire(blocking=False):
            threading.Thread(target=self._ask, daemon=True).start()
        return f"{self._trouble or ''} " + " ".join(f"{each.submission} {each.state}" for each in self._attempts)

    def _ask(self) -> None:
        try:
            self._attempts, self._trouble = self._connect().attempts(), None
        except ClusterError as error:
            if self._trouble is None:
                logger.warning("%s", one_line(error))
            self._trouble = error
        finally:
            self._asked = time.monotonic()
            self._asking.release()

    def _told_of(self, attempt: "Attempt") -> str:
        self._attempts = [*self._attempts, attempt]
        return f"attempt {attempt.number} runs on the cluster"


def _begun(attempt: "Attempt") -> datetime:
    """When the cluster took an attempt: now, where it has yet to."""
    return attempt.started or datetime.now(UTC)


def _run(attempt: "Attempt") -> schema.Run:
    state = "running" if attempt.running else "done" if attempt.state == "succeeded" else "failed"
    detail = f"attempt {attempt.number} is {attempt.state} on the cluster"
    if state == "failed" and attempt.message:
        detail += f": {printable(attempt.message.splitlines()[-1])[:400]}"
    return schema.Run(name=attempt.name, state=state, started=_begun(attempt), detail=detail)


def make_runs(storage: str, control: Control) -> Runs:
    """Where a server's jobs run."""
    if control.address is None:
        return LocalRuns(storage, control.most)
    return ClusterRuns(partial(_connect, control.address), control.storage_env)


def _connect(address: str) -> "Cluster":
    from tuner.launch import connect  # imports Ray, which takes seconds

    return connect(address)
