"""What else can happen to a job's process: signals, a second one, one that wakes up too late, a full disk, a lock."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage import leases, queries
from storage.engine import Database
from storage.errors import UnknownJobError
from tests.drills.drill import Drill, Outcome


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    return Drill(f"sqlite:///{tmp_path}/tuner.db", tmp_path, os.environ | {"OMP_NUM_THREADS": "1"}, "serial")


def wait_for_pulls(drill: Drill, name: str, pulls: int) -> None:
    """Until a job has made so many pulls."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with Database.open(drill.storage, create=True) as database, database.reading() as session:
            try:
                if queries.job(session, name).pulls >= pulls:
                    return
            except UnknownJobError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"{name} made no {pulls} pulls within a minute")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_job_cleanly_and_it_goes_on(
    drill: Drill, undisturbed: Outcome, number: signal.Signals
) -> None:
    process = drill.start("stopped")
    wait_for_pulls(drill, "stopped", 20)
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "stopped"
    with Database.open(drill.storage) as database, database.reading() as session:
        job = queries.job(session, "stopped")
    assert (job.state, job.live) == ("stopped", False)
    drill.finish("stopped")
    assert drill.outcome("stopped") == undisturbed


def test_a_job_is_stopped_from_another_process_and_goes_on(drill: Drill, undisturbed: Outcome) -> None:
    process = drill.start("stopped")
    wait_for_pulls(drill, "stopped", 20)
    with Database.open(drill.storage) as database:
        assert database.attempt(lambda session: leases.request_stop(session, "stopped")) == "stopping"
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "stopped"
    drill.finish("stopped")
    assert drill.outcome("stopped") == undisturbed


def test_a_second_controller_is_refused_and_the_first_goes_on(drill: Drill, undisturbed: Outcome) -> None:
    first = drill.start("wanted")
    wait_for_pulls(drill, "wanted", 20)
    first.send_signal(signal.SIGSTOP)  # or it is done before the second has started, on a busy machine
    output, _ = drill.start("wanted").communicate(timeout=60)
    first.send_signal(signal.SIGCONT)
    assert output.splitlines()[-1].startswith("LeaseHeldError: job 'wanted' is run by ")
    first.communicate(timeout=60)
    assert drill.outcome("wanted") == undisturbed


def test_a_controller_that_wakes_up_after_another_took_over_cannot_write(drill: Drill, undisturbed: Outcome) -> None:
    sleeper = drill.start("taken")
    wait_for_pulls(drill, "taken", 20)
    sleeper.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    with Database.open(drill.storage) as database:
        lease = database.attempt(lambda session: leases.acquire(session, "taken", "another", evict=1))
        with database.reading() as session:
            pulls = queries.job(session, "taken").pulls
        sleeper.send_signal(signal.SIGCONT)
        output, _ = sleeper.communicate(timeout=30)
        assert "StaleLeaseError: job 'taken' is now run by another" in output
        with database.reading() as session:
            assert queries.job(session, "taken").pulls == pulls
        database.attempt(lambda session: leases.finish(session, lease, "stopped", "stopped"))
    drill.finish("taken")
    assert drill.outcome("taken") == undisturbed


def test_a_full_disk_ends_the_process_with_a_clear_line(drill: Drill, undisturbed: Outcome) -> None:
    with Database.open(drill.storage, create=True):
        pass
    room = Path(drill.storage.removeprefix("sqlite:///")).stat().st_size + 40_000

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    process = drill.start("cramped", preexec_fn=little_room)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "DiskFullError: sqlite:///" in output.splitlines()[-1]
    drill.finish("cramped")
    assert drill.outcome("cramped") == undisturbed


def test_a_job_whose_database_is_deleted_stops_and_goes_on_from_the_copy(drill: Drill, undisturbed: Outcome) -> None:
    path = Path(drill.storage.removeprefix("sqlite:///"))
    process = drill.start("deleted")
    wait_for_pulls(drill, "deleted", 20)
    path.unlink()
    output, _ = process.communicate(timeout=60)
    (kept,) = path.parent.glob("tuner.recovered-*.db")
    assert output.splitlines()[-1].startswith(f"MovedError: {drill.storage}: the file was moved, replaced or deleted")
    assert f"all that was committed is in {kept}" in output.splitlines()[-1]
    kept.rename(path)
    drill.finish("deleted")
    assert drill.outcome("deleted") == undisturbed


def test_a_job_outlives_a_lock_on_its_database(drill: Drill, undisturbed: Outcome) -> None:
    process = drill.start("locked")
    wait_for_pulls(drill, "locked", 20)
    other = sqlite3.connect(drill.storage.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(2)
    other.execute("ROLLBACK")
    other.close()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert drill.outcome("locked") == undisturbed


def test_a_database_of_an_older_schema_is_refused_untouched(drill: Drill) -> None:
    file = drill.storage.removeprefix("sqlite:///")
    with Database.open(drill.storage, create=True):
        pass
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE storage_version SET version_num = '0000'")
    connection.close()
    command = subprocess.run(
        [sys.executable, "-m", "tuner", "list", "--storage", drill.storage],
        capture_output=True,
        text=True,
        check=False,
        env=drill.environment,
    )
    assert command.returncode == 1
    assert command.stderr.count("\n") == 1
    assert "tuner db upgrade" in command.stderr
