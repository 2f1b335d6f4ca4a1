"""Drivers' errors and what becomes of them: the codes that no test can provoke for real."""

import sqlite3

import pytest
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
    ProgrammingError,
    TimeoutError,  # noqa: A004 (SQLAlchemy's own)
)

from storage import errors
from storage.engine import parse_url
from storage.translation import translate_errors

URL = parse_url("postgresql://user:s3cret@host/name")


class DriverError(Exception):
    """As psycopg's, or as sqlite3's, which carry a code."""

    def __init__(self, message: str = "driver's words\nand more", **code: object) -> None:
        super().__init__(message)
        self.__dict__ |= code


def raised(cause: Exception) -> errors.StorageError:
    with pytest.raises(errors.StorageError) as caught, translate_errors(URL):
        raise cause
    assert caught.value.__cause__ is cause
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ({"sqlstate": "53100"}, errors.DiskFullError),
        ({"sqlstate": "58030"}, errors.DiskFullError),
        ({"sqlstate": "53300"}, errors.UnavailableError),
        ({"sqlstate": "57P01"}, errors.UnavailableError),
        ({"sqlstate": "57P03"}, errors.UnavailableError),
        ({"sqlstate": "08006"}, errors.UnavailableError),
        ({"sqlstate": "28P01"}, errors.UnavailableError),
        ({"sqlstate": "25006"}, errors.ReadOnlyError),
        ({"sqlstate": "42501"}, errors.ReadOnlyError),
        ({"sqlstate": "55P03"}, errors.LockedError),
        ({"sqlstate": "40P01"}, errors.LockedError),
        ({"sqlstate": "23505"}, errors.IntegrityError),
        ({"sqlstate": "42P01"}, errors.DatabaseError),
        ({"sqlite_errorcode": sqlite3.SQLITE_FULL}, errors.DiskFullError),
        ({"sqlite_errorcode": sqlite3.SQLITE_IOERR_WRITE}, errors.DiskFullError),
        ({"sqlite_errorcode": sqlite3.SQLITE_BUSY_SNAPSHOT}, errors.LockedError),
        ({"sqlite_errorcode": sqlite3.SQLITE_READONLY_DIRECTORY}, errors.ReadOnlyError),
        ({"sqlite_errorcode": sqlite3.SQLITE_CORRUPT}, errors.NotADatabaseError),
        ({"sqlite_errorcode": sqlite3.SQLITE_ERROR}, errors.DatabaseError),
    ],
)
def test_codes_become_errors_of_one_line_without_the_password(code: dict[str, object], kind: type[Exception]) -> None:
    error = raised(DBAPIError("SELECT 1", {}, DriverError(**code)))
    assert type(error) is kind
    assert str(error).startswith("postgresql+psycopg://user:***@host/name: ")
    assert "driver's words" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("wrapped", "kind"),
    [
        (OperationalError, errors.UnavailableError),
        (InterfaceError, errors.UnavailableError),
        (DataError, errors.DatabaseError),  # a NUL character in a text, say
        (ProgrammingError, errors.DatabaseError),
    ],
)
def test_without_a_code_only_an_error_of_the_connection_is_worth_another_try(
    wrapped: type[DBAPIError], kind: type[Exception]
) -> None:
    assert type(raised(wrapped("SELECT 1", {}, DriverError()))) is kind


def test_an_exhausted_pool_is_not_a_timeout_of_the_server() -> None:
    assert isinstance(raised(TimeoutError("QueuePool limit")), errors.LockedError)


def test_misuse_of_sqlalchemy_is_a_database_error() -> None:
    assert type(raised(InvalidRequestError("closed"))) is errors.DatabaseError


def test_other_exceptions_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), translate_errors(URL):
        raise ZeroDivisionError


def test_every_error_has_one_root() -> None:
    own = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(own) > 10
    assert all(issubclass(error, errors.StorageError) for error in own)
    assert all(error.__name__ in str(errors.__doc__) for error in own)
