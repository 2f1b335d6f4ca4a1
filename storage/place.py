"""The SQLite file behind open connections: whether it is still where it was, and a copy of it where it is not.

A file that is moved or deleted while it is open goes on to exist for whoever has it open, and for nobody else: what is
written to it after that is lost as the process ends. So its path is compared before each transaction.
"""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from storage.errors import MovedError


class Place:
    """Where an open SQLite file is to be found.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None
        self._lost: MovedError | None = None

    def note(self) -> None:
        """Remember which file it is; called as the first connection to it is made."""
        if self._file is None:
            self._file = self._found()

    def check(self) -> None:
        """Compare what the path names with the file that is open.

        Raises:
            MovedError: If it names another file, or none.
        """
        if self._lost is not None:
            raise self._lost
        if self._file is not None and self._found() != self._file:
            raise MovedError(self._what_happened)

    def keep(self, connection: sqlite3.Connection) -> MovedError:
        """Copy what an open connection still sees into a new file beside the path, once; returns what is to be raised.

        Args:
            connection: Made before the file was moved, and outside a transaction.
        """
        if self._lost is None:
            self._lost = self._kept(connection)
        return self._lost

    def _kept(self, connection: sqlite3.Connection) -> MovedError:
        moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        copy = self._path.with_name(f"{self._path.stem}.recovered-{moment}{self._path.suffix}")
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(copy)) as target:
                connection.backup(target)
        except (OSError, sqlite3.Error) as error:
            return MovedError(f"{self._what_happened}, and what it held could not be copied to {copy}: {error}")
        return MovedError(
            f"{self._what_happened}; all that was committed is in {copy}: "
            f"move that back, or go on with `--storage sqlite:///{copy}`"
        )

    @property
    def _what_happened(self) -> str:
        return f"sqlite:///{self._path}: the file was moved, replaced or deleted while it was in use"

    def _found(self) -> tuple[int, int] | None:
        """Device and inode of the file that the path names now."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
