"""The command line where the database can't be written: one clear line, and the job is resumed once that is mended."""

import contextlib
import ctypes
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.engine import Database
from tuner.play.lifecycle import create, play
from tuner.play.plan import Plan
from tuner.play.prepare import prepare
from tuner.spec.job import JobSpec
from tuner.workers.pool import SerialPool
from tuner.workers.scoring import make_scorer

ROOT = Path(__file__).parents[2]


SPEC = {
    "name": "small",
    "architecture": f"{ROOT / 'tests/cluster/tiny.py'}:make",
    "dataset": {"kind": "digits", "images": 8},
    "arms": {"cur": [0.0, 1.0], "suc": [1.0], "pre": [0.0, 1.0]},
    "policy": {"kind": "ucb1", "budget": 10},
    "workers": {"count": 1},
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A job of digits and a tiny network."""
    return prepare(JobSpec.model_validate(SPEC))


@pytest.fixture
def file(tmp_path: Path, plan: Plan) -> Path:
    """A database with that job, not run yet."""
    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as database:
        create(database, plan)
    return tmp_path / "tuner.db"


def tuner(file: Path, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tuner", *arguments, "--storage", f"sqlite:///{file}"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **options,
    )


def complaint(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line that a refused command says, but for what it was checking."""
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("checking")]
    return line


def little_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


def heed_permissions() -> None:
    """Take from root the capability to write to anything (Linux: PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@contextlib.contextmanager
def read_only(file: Path) -> Iterator[None]:
    file.chmod(0o444)
    yield
    file.chmod(0o644)


@contextlib.contextmanager
def older_schema(file: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        (version,) = connection.execute("SELECT version_num FROM storage_version").fetchone()
        connection.execute("UPDATE storage_version SET version_num = '0000'")
        yield
        connection.execute("UPDATE storage_version SET version_num = ?", [version])


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_job_is_resumed_after_a_full_disk_a_read_only_file_and_an_older_schema(file: Path, plan: Plan) -> None:
    said = complaint(tuner(file, "resume", "small", preexec_fn=little_room))
    assert "the disk is full or failing; free some space, then resume: what was committed is safe" in said
    with read_only(file):
        said = complaint(tuner(file, "resume", "small", preexec_fn=heed_permissions))
        assert "the database is read-only; give this user the right to write to it" in said
    with older_schema(file):
        said = complaint(tuner(file, "resume", "small"))
        assert "schema 0000" in said
        assert "tuner db upgrade" in said
    with Database.open(f"sqlite:///{file}") as database:  # what `tuner resume` does, without starting Ray
        assert play(database, plan, lambda: SerialPool(make_scorer(plan.spec, plan.dataset))) != "stopped"
    assert tuner(file, "verify", "small").returncode == 0


@pytest.mark.slow
def test_a_job_is_resumed_after_another_process_held_its_database_for_a_minute(file: Path) -> None:
    with locked(file):
        assert tuner(file, "arms", "small", "-f", "csv").returncode == 0  # readers do not wait
        said = complaint(tuner(file, "resume", "small"))
        assert "another process holds the database; let it finish or stop it, then try again" in said
    done = tuner(file, "resume", "small")
    assert done.returncode == 0, done.stderr
    assert tuner(file, "verify", "small").returncode == 0
