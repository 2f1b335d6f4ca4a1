"""Connections to the database: one engine to write, one to read, and the rules of both.

SQLite (the default) runs with a write-ahead log, so that readers and the writer never wait for each other, and every
write transaction takes the write lock as it begins (``BEGIN IMMEDIATE``): a transaction that read first and wrote later
could not be retried and lost updates. PostgreSQL locks the job's row instead (:mod:`storage.records`).
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, QueuePool, create_engine, event, inspect, text
from sqlalchemy.orm import Session

from storage.errors import LockedError, MissingDatabaseError, MovedError, SchemaError, UnavailableError
from storage.place import Place
from storage.translation import translate_errors
from storage.urls import masked, parse_url

__all__ = ["SCHEMA", "VERSION_TABLE", "Database", "current", "parse_url", "upgrade"]

SCHEMA = "0008"
"""The schema's revision that this version reads and writes (the newest of ``migrations/versions``)."""

VERSION_TABLE = "storage_version"

T = TypeVar("T")


class Database:
    """A database of jobs, opened and checked; made by :meth:`open`.

    Args:
        url: Where it is.
        patience: Seconds that a writer waits for another one before :class:`~storage.errors.LockedError`.
    """

    def __init__(self, url: URL, patience: float = 30.0) -> None:
        self.url = url
        self._writer = _engine(url, patience, read_only=False)
        self._reader = _engine(url, patience, read_only=True)
        self._place: Place | None = None
        if _is_sqlite(url):
            self._place = place = Place(Path(str(url.database)))
            event.listen(self._writer, "connect", lambda *_: place.note())
            event.listen(self._reader, "connect", lambda *_: place.note())

    @classmethod
    def open(cls, url: str, *, create: bool = False, patience: float = 30.0) -> "Database":
        """The database at the URL, its schema checked.

        Args:
            url: As for :func:`storage.urls.parse_url`.
            create: Make the schema where there is none yet (an older one is never changed here).
            patience: Seconds that a writer waits for another one.

        Raises:
            MissingDatabaseError: If there is no database yet and ``create`` is false.
            SchemaError: If its schema is older or newer than this version's.
            DatabaseError: If it cannot be used for another reason; the subclass says which.
        """
        found = current(url)
        if found is None:
            if not create:
                where = masked(parse_url(url))
                raise MissingDatabaseError(f"{where}: no jobs here yet; start with `tuner run` or `tuner db upgrade`")
            upgrade(url)
        elif found != SCHEMA:
            raise _other_schema(parse_url(url), found)
        return cls(parse_url(url), patience)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database, cannot write, and holds up no writer. Keep it short.

        Raises:
            DatabaseError: If the database cannot be read; the subclass says why.
        """
        if self._place is not None:
            self._place.check()
        with translate_errors(self.url), Session(self._reader) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose transaction is committed at the end, or rolled back where an exception leaves it.

        Raises:
            MovedError: If the file of an SQLite database is no longer where it was; where something was written to it
                before, a copy of it is made.
            StorageError: If it could not be committed; then nothing of it is stored (or, where the connection broke
                within the commit, all of it may be: what :mod:`storage.records` writes may be written again).
        """
        self._check_place()
        with translate_errors(self.url), Session(self._writer) as session, session.begin():
            yield session

    def _check_place(self) -> None:
        """Before a transaction that writes: is the file still there? Else keep what the last writer saw of it."""
        if self._place is None:
            return
        try:
            self._place.check()
        except MovedError as error:
            assert isinstance(self._writer.pool, QueuePool)
            if not self._writer.pool.checkedin():  # nothing was written yet, so nothing is lost
                raise
            with contextlib.closing(self._writer.raw_connection()) as pooled:
                assert pooled.driver_connection is not None
                raise self._place.keep(pooled.driver_connection) from error

    def attempt(self, action: Callable[[Session], T], *, seconds: float = 60.0) -> T:
        """Run a write transaction, again and again while the database is locked or away.

        Safe for leases, scores, failures, pulls, rounds and outcomes: where the connection broke within a commit that
        arrived, writing them again has no second effect. An event may then be noted twice.

        Args:
            action: What to do within the transaction; called once for each try.
            seconds: How long to go on trying.

        Raises:
            UnavailableError: If the database is still away after ``seconds``.
            LockedError: If it is still locked by then.
        """
        deadline = time.monotonic() + seconds
        wait = 0.05
        while True:
            try:
                with self.writing() as session:
                    return action(session)
            except (UnavailableError, LockedError):
                if time.monotonic() + wait > deadline:
                    raise
            time.sleep(wait)
            wait = min(2 * wait, 2.0)

    def close(self) -> None:
        """Close every connection."""
        self._writer.dispose()
        self._reader.dispose()

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def current(url: str) -> str | None:
    """The schema's revision at the URL, or None where there is no database of jobs yet. Creates nothing.

    Raises:
        DatabaseError: If the database cannot be read; the subclass says why.
    """
    parsed = parse_url(url)
    if _is_sqlite(parsed) and not Path(str(parsed.database)).exists():
        return None
    engine = _engine(parsed, 30.0, read_only=True)
    try:
        with translate_errors(parsed), engine.connect() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return None
            return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
    finally:
        engine.dispose()


def upgrade(url: str, revision: str = SCHEMA) -> str:
    """Bring the schema to a revision, creating it where there is none; returns that revision.

    Everything happens in one transaction, and a second process that upgrades at the same time waits, then does nothing.

    Args:
        url: As for :func:`storage.urls.parse_url`; an SQLite file and its folder are created.
        revision: The revision to reach; the newest by default. Never an older one than the database's.

    Raises:
        SchemaError: If the database is newer than this version.
        LeaseHeldError: If a controller runs a job by an older schema.
        DatabaseError: If the database cannot be written; the subclass says why.
    """
    parsed = parse_url(url)
    found = current(url)
    if found is not None and found > SCHEMA:
        raise _other_schema(parsed, found)
    if _is_sqlite(parsed):
        try:
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(f"{masked(parsed)}: cannot create its folder: {error.strerror}") from error
    from storage.migrations import migrate  # Alembic takes a while to import

    engine = _engine(parsed, 30.0, read_only=False, foreign_keys=False)  # SQLite alters a table by replacing it
    try:
        with translate_errors(parsed), engine.begin() as connection:
            migrate(connection, revision)
    finally:
        engine.dispose()
    return revision


def _other_schema(url: URL, found: str) -> SchemaError:
    if found < SCHEMA:
        mend = "back it up, then run `tuner db upgrade`"
    else:
        mend = "update this program to the version that wrote it"
    return SchemaError(f"{masked(url)}: schema {found}, this version needs {SCHEMA}; {mend}")


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _engine(url: URL, patience: float, *, read_only: bool, foreign_keys: bool = True) -> Engine:
    if _is_sqlite(url):
        return _sqlite_engine(url, patience, read_only=read_only, foreign_keys=foreign_keys)
    options = f"-c lock_timeout={int(patience * 1000)}"
    engine = create_engine(
        url,
        pool_pre_ping=True,  # a server that was restarted is found again
        connect_args={"connect_timeout": 10, "options": options, "application_name": "tuner"},
    )
    if read_only:
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def _sqlite_engine(url: URL, patience: float, *, read_only: bool, foreign_keys: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": patience, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine
