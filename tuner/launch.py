"""Tuning jobs on a Ray cluster, through Ray's job API.

An *attempt* is one Ray job: the controller of a tuning job, running on the cluster. A tuning job has one attempt for
each time it was submitted or resumed, numbered from 1; at most one of them runs. What a job has learned lives in the
database, so an attempt that dies with its node costs nothing but the images then in flight, and the next goes on there.

The database's URL never leaves the cluster: an attempt is told the *name* of the environment variable that holds it.
"""

import asyncio
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tuner.errors import AttemptError, ClusterError

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

STORAGE_ENV = "TUNER_STORAGE"
_JOB, _ATTEMPT = "tuner-job", "tuner-attempt"  # keys of the metadata that mark a Ray job as an attempt
SECRETS = (
    *(".env*", "*.env", ".netrc", ".pgpass", ".pypirc", ".npmrc", ".git", ".git-credentials"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    *("credentials", "credentials.json", "secrets.yaml", "secrets.yml", "secrets.json", "secrets.toml"),
    *(".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker"),
)
"""Names, as in a .gitignore, of what is never sent to a cluster: whoever reads Ray's archive could read it there."""
T = TypeVar("T")
_ENDED = {"STOPPED", "SUCCEEDED", "FAILED"}


@dataclass(frozen=True)
class Attempt:
    """One Ray job that ran, or runs, a tuning job's controller.

    Args:
        name: Name of the tuning job.
        number: 1 for the first submission; one more for each time it was resumed.
        submission: Ray's id of the job.
        state: pending, running, stopped, succeeded or failed, as Ray sees the process. What the tuning job came to
            stands in the database.
        message: Ray's words for the state.
        started: When Ray took it, if it has.
        ended: When its process ended, if it has.
    """

    name: str
    number: int
    submission: str
    state: str
    message: str
    started: datetime | None
    ended: datetime | None

    @property
    def running(self) -> bool:
        """Whether its process may still write to the database."""
        return self.state.upper() not in _ENDED


class Cluster:
    """The tuning jobs of one Ray cluster.

    Args:
        client: A client of Ray's job API.
    """

    def __init__(self, client: "JobSubmissionClient") -> None:
        self._client = client

    def attempts(self, name: str | None = None) -> list[Attempt]:
        """All attempts, or those of one job, by name and number.

        Raises:
            ClusterError: If the cluster does not answer.
        """
        found = [_attempt(details) for details in _asked(self._client.list_jobs) if _JOB in (details.metadata or {})]
        return sorted((a for a in found if name in (None, a.name)), key=lambda a: (a.name, a.number))

    def latest(self, name: str) -> Attempt:
        """The newest attempt of a job.

        Raises:
            AttemptError: If the cluster knows no such job.
            ClusterError: If it does not answer.
        """
        attempts = self.attempts(name)
        if not attempts:
            known = sorted({a.name for a in self.attempts()})
            raise AttemptError(f"job {name!r}: never submitted to this cluster; it knows {', '.join(known) or 'none'}")
        return attempts[-1]

    def submit(self, job: Path, name: str, *, storage_env: str, working_dir: Path | None = None) -> Attempt:
        """Start a tuning job, or go on with it if it ran before, and say which attempt it is.

        Args:
            job: Its job file; travels to the cluster alone, or within ``working_dir``.
            name: Its name.
            storage_env: Name of the environment variable that holds the database's URL on the cluster.
            working_dir: A folder to send along (a user's own network, say), without :data:`SECRETS` and what its
                .gitignore names; the controller and the workers run in it.

        Raises:
            AttemptError: If the job already runs.
            ClusterError: If the name of the variable is none, the job file lies outside the folder or the cluster
                refuses.
        """
        with ExitStack() as stack:
            if working_dir is None:
                working_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tuner-submit-")))
                shutil.copyfile(job, working_dir / job.name)
                path = job.name
            elif not job.resolve().is_relative_to(working_dir.resolve()):
                raise ClusterError(f"job file {job}: lies outside the folder sent along, {working_dir}: move it inside")
            else:
                path = job.resolve().relative_to(working_dir.resolve()).as_posix()
            return self._start(name, f"{shlex.quote(path)} --name {shlex.quote(name)}", storage_env, working_dir)

    def resume(self, name: str, *, storage_env: str, working_dir: Path | None = None) -> Attempt:
        """Go on with a job that ended or died, from what the database holds, and say which attempt it is.

        Args:
            name: Its name.
            storage_env: As for :meth:`submit`; so is ``working_dir``.
            working_dir: A folder to send along.

        Raises:
            AttemptError: If the job already runs, or was never submitted to this cluster.
            ClusterError: As :meth:`submit`.
        """
        self.latest(name)
        return self._start(name, f"--resume {shlex.quote(name)}", storage_env, working_dir)

    def stop(self, name: str) -> Attempt:
        """Ask the running attempt to stop: its controller gets SIGTERM, commits and lets go of the job.

        Raises:
            AttemptError: If no attempt of the job runs.
        """
        attempt = self.latest(name)
        if not attempt.running:
            raise AttemptError(f"job {name!r}: attempt {attempt.number} already {attempt.state}: nothing to stop")
        _asked(lambda: self._client.stop_job(attempt.submission))
        return attempt

    def logs(self, name: str) -> str:
        """What the newest attempt has written so far."""
        attempt = self.latest(name)
        return _asked(lambda: self._client.get_job_logs(attempt.submission))

    def follow(self, name: str, write: Callable[[str], object]) -> Attempt:
        """Hand on what the newest attempt writes, as it writes it, and return the attempt once it has ended.

        Raises:
            ClusterError: If the cluster stops answering (the job itself may go on).
        """
        attempt = self.latest(name)

        async def tail() -> None:
            async for lines in self._client.tail_job_logs(attempt.submission):
                write(lines)

        _asked(lambda: asyncio.run(tail()))
        return self.latest(name)

    def _start(self, name: str, what: str, storage_env: str, working_dir: Path | None) -> Attempt:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", storage_env):
            raise ClusterError("--storage-env takes the name of an environment variable on the cluster, not its value")
        previous = self.attempts(name)
        if previous and previous[-1].running:
            raise AttemptError(
                f"job {name!r}: attempt {previous[-1].number} is {previous[-1].state}: "
                f"follow it with `tuner logs {name} --output --follow` or end it with `tuner stop {name}`"
            )
        number = previous[-1].number + 1 if previous else 1
        submission = _asked(
            lambda: self._client.submit_job(
                entrypoint=f"tuner drive {what} --storage-env {storage_env}",
                submission_id=f"{name}-{number}",
                runtime_env={"working_dir": str(working_dir), "excludes": list(SECRETS)} if working_dir else None,
                metadata={_JOB: name, _ATTEMPT: str(number)},
            )
        )
        return Attempt(name, number, submission, "pending", "", datetime.now(UTC), None)


def connect(address: str) -> Cluster:
    """The cluster whose dashboard answers at ``address``, such as ``http://head:8265``.

    Raises:
        ClusterError: If it is no such address, nothing answers there, or it wants another token.
    """
    parts = urlsplit(address)
    if "@" in address:  # not shown: it may be a password
        raise ClusterError("address: a dashboard takes no user or password in it; set RAY_AUTH_TOKEN to its token")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ClusterError(f"address {address!r}: not a Ray dashboard's; write http://HEAD:8265")
    from ray.job_submission import JobSubmissionClient

    return Cluster(_asked(lambda: JobSubmissionClient(address)))


def _attempt(details: "JobDetails") -> Attempt:
    assert details.metadata is not None
    assert details.submission_id is not None
    return Attempt(
        name=details.metadata[_JOB],
        number=int(details.metadata[_ATTEMPT]),
        submission=details.submission_id,
        state=str(details.status.value).lower(),
        message=details.message or "",
        started=_moment(details.start_time),
        ended=_moment(details.end_time),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _asked(question: Callable[[], T]) -> T:
    """The cluster's answer, with Ray's errors told in one line."""
    from aiohttp import ClientError
    from ray.exceptions import AuthenticationError

    try:
        return question()
    except AuthenticationError as error:
        raise ClusterError("cluster: it wants a token: set RAY_AUTH_TOKEN to the cluster's") from error
    except (ClientError, OSError, RuntimeError) as error:
        # The job server sends whole tracebacks; the last line with a word in it says what is wrong.
        lines = [line.strip() for line in str(error).splitlines() if re.search(r"\w", line)]
        raise ClusterError(f"cluster: {lines[-1] if lines else type(error).__name__}") from error
