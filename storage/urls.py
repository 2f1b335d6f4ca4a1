"""Where a database is: its URL, checked, and shown without its password."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import InvalidUrlError


def parse_url(url: str) -> URL:
    """The URL of a database, checked; ``postgresql`` without a driver means psycopg.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``.

    Raises:
        InvalidUrlError: If it is no URL, of another kind of database, or an SQLite database in memory.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        # from None, and without the text: what cannot be parsed may hold a password
        raise InvalidUrlError(
            "the storage is not a database URL; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return parsed
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise InvalidUrlError(f"{masked(parsed)}: {parsed.drivername!r} is not supported; use sqlite or postgresql")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise InvalidUrlError(f"{masked(parsed)}: processes share the database, so name a file: sqlite:///FILE")
    return parsed


def masked(url: URL) -> str:
    """The URL as text, its passwords hidden, wherever in it they stand."""
    query = {name: "xxx" if "password" in name.lower() else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)
