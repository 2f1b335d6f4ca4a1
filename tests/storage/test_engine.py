"""Opening a database, its sessions, and one clear line for whatever keeps it from being used."""

import os
import pwd
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from storage import engine, queries
from storage.creation import create_job
from storage.engine import SCHEMA, VERSION_TABLE, Database, current, upgrade
from storage.errors import (
    DatabaseError,
    DiskFullError,
    LockedError,
    MissingDatabaseError,
    MovedError,
    NotADatabaseError,
    ReadOnlyError,
    SchemaError,
    UnavailableError,
)
from storage.leases import renew
from storage.records import record
from tests.storage.jobs import new_job, run
from tests.storage.postgres import Server


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


# opening


def test_a_missing_database_is_not_created_by_looking(url: str) -> None:
    assert current(url) is None
    with pytest.raises(MissingDatabaseError, match="`tuner run` or `tuner db upgrade`"):
        Database.open(url)
    assert current(url) is None
    if url.startswith("sqlite"):
        assert not file_of(url).parent.exists()


def test_create_makes_the_newest_schema(url: str) -> None:
    with Database.open(url, create=True) as database, database.reading() as session:
        assert queries.jobs(session) == []
    assert current(url) == SCHEMA


def test_open_finds_what_was_stored(url: str) -> None:
    with Database.open(url, create=True) as database, database.writing() as session:
        create_job(session, new_job())
    with Database.open(url, create=True) as database, database.reading() as session:
        assert [job.name for job in queries.jobs(session)] == ["job"]


@pytest.mark.parametrize(
    ("revision", "mend"), [("0000", "back it up, then run `tuner db upgrade`"), ("9999", "update this program")]
)
def test_another_schema_is_named_with_its_mend(url: str, revision: str, mend: str) -> None:
    with Database.open(url, create=True) as database, database.writing() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
    for create in (False, True):
        with pytest.raises(SchemaError, match=f"schema {revision}, this version needs {SCHEMA}; {mend}"):
            Database.open(url, create=create)


def test_a_newer_database_is_not_upgraded(url: str) -> None:
    with Database.open(url, create=True) as database, database.writing() as session:
        session.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="update this program"):
        upgrade(url)


def test_many_processes_may_create_it_at_once(url: str) -> None:
    code = f"from storage.engine import Database; Database.open({url!r}, create=True).close()"
    starters = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [starter.communicate()[1].decode() for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0], errors
    assert current(url) == SCHEMA


# sessions


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(ReadOnlyError), database.reading() as session:
        create_job(session, new_job())


def test_a_reader_sees_one_state_throughout(database: Database) -> None:
    running = run(database)
    with database.reading() as session:
        assert queries.pulls(session, "job") == []
        with database.writing() as writer:
            record(writer, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
        assert queries.pulls(session, "job") == []
        assert queries.arms(session, "job")[0].pulls == 0
    with database.reading() as session:
        assert len(queries.pulls(session, "job")) == 1


def test_sqlite_runs_by_the_rules(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=True) as database:
        with database.writing() as session:
            pragmas = {
                name: session.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30_000}


def test_concurrent_increments_are_all_kept_by_sqlite(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=True) as database:
        run(database)

        def increment() -> None:
            for _ in range(25):
                with database.writing() as session:
                    seed = session.execute(text("SELECT seed FROM job")).scalar_one()
                    session.execute(text("UPDATE job SET seed = :seed"), {"seed": seed + 1})

        threads = [threading.Thread(target=increment) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.reading() as session:
            assert queries.job(session, "job").seed == 7 + 100


# what may be wrong with a file


@pytest.mark.parametrize("content", [b"name: resnet18\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    for call in (Database.open, upgrade, current):
        with pytest.raises(NotADatabaseError, match=r"job\.yaml: the file is not a database or is damaged"):
            call(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_an_sqlite_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE song (title TEXT)")
    with pytest.raises(MissingDatabaseError):
        Database.open(f"sqlite:///{tmp_path}/other.db")


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="the file cannot be opened"):
        Database.open(f"sqlite:///{tmp_path}")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot create its folder"):
        upgrade(f"sqlite:///{tmp_path}/file/runs/tuner.db")


def test_a_locked_file_is_named_and_the_writer_goes_on_after(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=True, patience=0.1) as database:
        holder = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(LockedError, match="another process holds the database; let it finish"),
            database.writing() as session,
        ):
            create_job(session, new_job())
        with database.reading() as session:
            assert queries.jobs(session) == []
        holder.execute("ROLLBACK")
        holder.close()
        with database.writing() as session:
            create_job(session, new_job())


def test_attempt_waits_for_a_lock_to_go(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=True, patience=0.05) as database:
        holder = sqlite3.connect(file_of(sqlite_url), isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, holder.execute, ["ROLLBACK"])
        release.start()
        assert database.attempt(lambda session: create_job(session, new_job())) == 1
        release.join()
        holder.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        with pytest.raises(LockedError):
            database.attempt(lambda session: create_job(session, new_job("second")), seconds=0.3)
        assert time.monotonic() - begin < 60
        holder.close()


CHILD = """
    import json, os, resource, signal, sys
    from storage.engine import Database
    from storage.errors import StorageError
    from storage.creation import create_job
    from tests.storage.jobs import new_job
    {before}
    try:
        with Database.open({url!r}) as database:
            for i in range(200):
                with database.writing() as session:
                    create_job(session, new_job(f"more-{{i}}", images=500))
    except StorageError as error:
        print(type(error).__name__, error)
"""


def run_child(url: str, before: str) -> str:
    code = textwrap.dedent(CHILD).format(before=before, url=url)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    return done.stdout


def test_a_full_disk_is_named_and_the_job_goes_on_after(sqlite_url: str) -> None:
    with Database.open(sqlite_url, create=True) as database:
        running = run(database)
    said = run_child(sqlite_url, "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))")
    assert said.startswith(f"{DiskFullError.__name__} sqlite:///"), said
    assert "the disk is full or failing; free some space, then resume" in said
    with Database.open(sqlite_url) as database:
        with database.writing() as session:
            record(session, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
        with database.reading() as session:
            for job in queries.jobs(session):
                assert not queries.verify(session, job.name).problems


def test_a_read_only_file_is_named(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "tuner.db"
    path.write_bytes(sqlite_template.read_bytes())
    path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    before = ""
    if os.geteuid() == 0:  # root writes to anything: go on as somebody else, who may enter the folder
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(0o755)
        tmp_path.chmod(0o777)
        before = f"os.setuid({pwd.getpwnam('nobody').pw_uid})"
    said = run_child(f"sqlite:///{path}", before)
    assert said.startswith(f"{ReadOnlyError.__name__} sqlite:///{path}: the database is read-only; give this user"), (
        said
    )


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced", "folder deleted"])
def test_a_file_that_goes_away_while_it_is_written_is_noticed_and_its_content_kept(sqlite_url: str, how: str) -> None:
    path = file_of(sqlite_url)
    with Database.open(sqlite_url, create=True) as database:
        running = run(database)
        with database.writing() as session:
            record(session, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
        if how == "deleted":
            path.unlink()
        elif how == "moved":
            path.rename(path.with_name("elsewhere.db"))
        elif how == "replaced":
            upgrade(f"sqlite:///{path}.new")
            Path(f"{path}.new").replace(path)
        else:
            shutil.rmtree(path.parent)
        said = set()
        for _ in range(2):
            with pytest.raises(MovedError, match="the file was moved, replaced or deleted") as error:
                database.attempt(lambda session: renew(session, running.lease))
            said.add(str(error.value))
        with pytest.raises(MovedError), database.reading() as session:
            queries.jobs(session)
    (kept,) = path.parent.glob("tuner.recovered-*.db")
    assert len(said) == 1
    assert "\n" not in said.copy().pop()
    assert f"all that was committed is in {kept}" in said.pop()
    assert path.exists() == (how == "replaced"), "looking for it made no empty one"
    with Database.open(f"sqlite:///{kept}") as database:
        with database.reading() as session:
            assert queries.job(session, "job").pulls == 1
            assert queries.verify(session, "job").problems == ()
        with database.writing() as session:
            renew(session, running.lease)


def test_where_nothing_can_be_kept_the_loss_is_said(sqlite_url: str, tmp_path: Path) -> None:
    with Database.open(sqlite_url, create=True) as database:
        running = run(database)
        shutil.rmtree(file_of(sqlite_url).parent)
        (tmp_path / "runs").write_text("a file in place of the folder")
        with pytest.raises(MovedError, match="could not be copied to"), database.writing() as session:
            renew(session, running.lease)


def test_a_reader_of_a_file_that_went_away_keeps_no_copy(sqlite_url: str) -> None:
    path = file_of(sqlite_url)
    upgrade(sqlite_url)
    with Database.open(sqlite_url) as database:
        with database.reading() as session:
            assert queries.jobs(session) == []
        path.unlink()
        with pytest.raises(MovedError), database.reading() as session:
            queries.jobs(session)
        with pytest.raises(MovedError), database.writing() as session:
            create_job(session, new_job())
    assert list(path.parent.glob("*.db")) == []


# what may be wrong with a server


def test_no_server_is_named_without_the_password() -> None:
    with pytest.raises(
        UnavailableError, match=r"user:\*\*\*@127.0.0.1:1/name: the database cannot be reached"
    ) as error:
        Database.open("postgresql://user:s3cret@127.0.0.1:1/name")
    assert "s3cret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_password_or_database_is_named(server: Server) -> None:
    wrong = server.url("postgres").replace(server.password, "s3cret")
    with pytest.raises(UnavailableError, match="refused the connection; check the user, the password") as error:
        Database.open(wrong)
    assert "s3cret" not in str(error.value)
    with pytest.raises(UnavailableError, match="refused the connection"):
        Database.open(server.url("nothing_of_that_name"))


def test_a_read_only_server_is_named(server: Server, postgres_url: str) -> None:
    upgrade(postgres_url)
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    with Database.open(postgres_url) as database, pytest.raises(ReadOnlyError), database.writing() as session:
        create_job(session, new_job())


def test_a_locked_row_is_named(postgres_url: str) -> None:
    with Database.open(postgres_url, create=True, patience=0.1) as database:
        running = run(database)
        with psycopg.connect(postgres_url) as holder:
            holder.execute("SELECT * FROM job FOR UPDATE")
            with pytest.raises(LockedError), database.writing() as session:
                renew(session, running.lease)
            holder.rollback()
        with database.writing() as session:
            renew(session, running.lease)


def test_a_server_that_restarts_costs_nothing(server: Server, postgres_url: str) -> None:
    with Database.open(postgres_url, create=True) as database:
        running = run(database)
        with database.reading() as session:
            assert len(queries.jobs(session)) == 1
        server.stop()
        try:
            with pytest.raises(UnavailableError), database.reading() as session:
                queries.jobs(session)
            back = threading.Timer(1.0, server.start)
            back.start()
            batch = ([running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
            assert database.attempt(lambda session: record(session, running.lease, *batch)).pulls == 1
            back.join()
        except BaseException:
            server.start()
            raise
        with database.reading() as session:
            assert queries.arms(session, "job")[0].pulls == 1


def test_a_connection_that_breaks_within_a_transaction_leaves_nothing(postgres_url: str) -> None:
    with Database.open(postgres_url, create=True) as database:
        running = run(database)

        def break_off() -> None:
            with database.writing() as session:
                record(session, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
                with psycopg.connect(postgres_url, autocommit=True) as other:
                    other.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )

        with pytest.raises(UnavailableError):
            break_off()
        with database.reading() as session:
            assert queries.pulls(session, "job") == []


def test_errors_of_statements_are_translated_too(database: Database) -> None:
    with pytest.raises(DatabaseError, match="nothing_of_that_name"), database.reading() as session:
        session.execute(text("SELECT * FROM nothing_of_that_name"))


def test_opening_imports_no_migrations() -> None:
    code = "import sys, storage.engine, storage.queries, storage.records; assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert engine.SCHEMA
