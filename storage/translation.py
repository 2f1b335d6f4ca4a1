"""The one place where a database driver's exception becomes this package's own."""

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.errors import (
    DatabaseError,
    DiskFullError,
    IntegrityError,
    LockedError,
    NotADatabaseError,
    ReadOnlyError,
    StorageError,
    UnavailableError,
)
from storage.urls import masked

_LOCKED = (LockedError, "another process holds the database; let it finish or stop it, then try again")
_READ_ONLY = (ReadOnlyError, "the database is read-only; give this user the right to write to it (and to its folder)")
_FULL = (DiskFullError, "the disk is full or failing; free some space, then resume: what was committed is safe")
_DAMAGED = (NotADatabaseError, "the file is not a database or is damaged; name another file or restore a backup")
_UNREACHABLE = (
    UnavailableError,
    "the database cannot be reached; check that its server runs and that the URL is right",
)
_REFUSED = (UnavailableError, "the server refused the connection; check the user, the password and the database's name")
_NO_FILE = (UnavailableError, "the file cannot be opened; check that its folder exists and may be written to")
_CONTRADICTION = (IntegrityError, "what was to be written contradicts what is stored; run `tuner verify` on the job")

# By SQLite's primary result code (https://sqlite.org/rescode.html).
_SQLITE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FULL,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _NO_FILE,
    sqlite3.SQLITE_CONSTRAINT: _CONTRADICTION,
}

# By the longest prefix of PostgreSQL's SQLSTATE (its manual, appendix A).
_POSTGRESQL = {
    "08": _UNREACHABLE,
    "57P": _UNREACHABLE,
    "53300": _UNREACHABLE,
    "28": _REFUSED,
    "3D000": _REFUSED,
    "25006": _READ_ONLY,
    "42501": _READ_ONLY,
    "531": _FULL,
    "58": _FULL,
    "55P03": _LOCKED,
    "40": _LOCKED,
    "23": _CONTRADICTION,
}


def _kind(error: DBAPIError) -> tuple[type[StorageError], str] | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return next((_POSTGRESQL[state[:n]] for n in (5, 3, 2) if state[:n] in _POSTGRESQL), None)
    if not (error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))):
        return None  # what was asked is at fault, not the connection: trying again would not help
    # psycopg gives no state where connecting failed, only the server's answer, if there was any
    answer = str(error.orig)
    refused = any(words in answer for words in ("password", "authentication", "does not exist"))
    return _REFUSED if refused else _UNREACHABLE


@contextlib.contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    """Raise this package's errors for the driver's; the message is one line with the URL, its password masked.

    Raises:
        StorageError: The subclass that fits the driver's error, from that error.
    """
    where = masked(url)
    try:
        yield
    except DBAPIError as error:
        first_line = str(error.orig).strip().partition("\n")[0]
        kind = _kind(error)
        if kind is None:
            raise DatabaseError(f"{where}: {first_line}") from error
        raise kind[0](f"{where}: {kind[1]} ({first_line})") from error
    except PoolTimeoutError as error:
        raise LockedError(f"{where}: every connection of this process is in use; end a transaction first") from error
    except UnicodeEncodeError as error:
        raise DatabaseError(
            f"{where}: {error.object!r} is not Unicode text, and cannot be stored or looked for"
        ) from error
    except SQLAlchemyError as error:
        raise DatabaseError(f"{where}: {str(error).partition(chr(10))[0]}") from error
