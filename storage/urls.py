"""Where a database is: its URL, checked, and shown without its password."""

import difflib

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import InvalidUrlError


def parse_url(url: str) -> URL:
    """The URL of a database, checked; ``postgresql`` without a driver means psycopg.

    A password with a raw ``@``, ``?`` or ``&`` in it cuts the URL at the wrong place: the rest of the password is then
    taken for the host, the database or an option. Such a URL is refused, and nothing of it is shown.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``.

    Raises:
        InvalidUrlError: If it is no URL, of another kind of database, cut at the wrong place, has an option that
            PostgreSQL does not know, or is an SQLite database in memory.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        # from None, and without the text: what cannot be parsed may hold a password
        raise InvalidUrlError(
            "the storage is not a database URL; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    sqlite = parsed.drivername in ("sqlite", "sqlite+pysqlite")
    if not (sqlite and not parsed.host):
        _check_marks(url, parsed)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        _check_options(parsed)
        return parsed
    if not sqlite:
        raise InvalidUrlError(f"{masked(parsed)}: {parsed.drivername!r} is not supported; use sqlite or postgresql")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise InvalidUrlError(f"{masked(parsed)}: processes share the database, so name a file: sqlite:///FILE")
    return parsed


def masked(url: URL) -> str:
    """The URL as text, its password hidden and its options left out: any of them may be a secret."""
    return url.set(query={}).render_as_string(hide_password=True)


def _check_marks(url: str, parsed: URL) -> None:
    """Refuse an ``@`` that does not end the user's part, and a ``?`` within that part."""
    before, mark, after = url.partition("@")
    if mark and ("@" in after or "?" in before or parsed.username is None):
        raise InvalidUrlError(
            "the storage's URL has an @ or a ? where none may stand; "
            "within the user, the password or an option write @ as %40 and ? as %3F"
        )


def _check_options(url: URL) -> None:
    """Refuse an option that PostgreSQL does not know: it may be a password's name misspelt, or the rest of one."""
    from psycopg.pq import Conninfo  # takes a while to import, and SQLite does not need it

    known = [option.keyword.decode() for option in Conninfo.get_defaults()]
    for name in url.query.keys() - known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}" if near else "PostgreSQL's manual lists them under libpq"
        raise InvalidUrlError(f"the storage's URL has an unknown option; {hint} (within a value write & as %26)")
