"""Records that were made before, in one SQLite file, so that a run goes on where it was interrupted.

A record is a mapping of names to numbers, texts and arrays. Its key is a hash of all that decides it, so a record is
never changed: what was once recorded holds for ever, and another version of anything has other keys.
"""

import io
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.errors import CacheError
from tracer.files import cache_folder

Record = dict[str, NDArray[Any]]
"""What an experiment records of one image by one method; a number or a text is an array without axes."""


def default_path() -> Path:
    """Where records are kept unless the user says otherwise; errors as of :func:`tracer.files.cache_folder`."""
    return cache_folder() / "experiments.sqlite"


class Cache:
    """Records by key in a file. Several processes may use it at once.

    Args:
        path: The file; made, with its folder, where it is missing.

    Raises:
        CacheError: If the file cannot be opened, or is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60)
            self._database.execute("PRAGMA journal_mode=WAL")
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS record "
                    "(key TEXT PRIMARY KEY, made REAL NOT NULL, content BLOB NOT NULL)"
                )

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def find(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records of those keys that have one."""
        asked = "SELECT key, content FROM record WHERE key IN (SELECT value FROM json_each(?))"
        with self._told():
            rows = self._database.execute(asked, (json.dumps(list(keys)),))
            return {key: _unpack(content) for key, content in rows}

    def add(self, records: Mapping[str, Mapping[str, ArrayLike]]) -> None:
        """Keep records, all of them or, if the process dies, none; a key that has one already keeps it."""
        rows = [(key, time.time(), _pack(record)) for key, record in records.items()]
        with self._told(), self._database:
            self._database.executemany("INSERT OR IGNORE INTO record VALUES (?, ?, ?)", rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise CacheError(f"{self._path}: cannot be used ({error}); delete it, or name another (--cache)") from error


def _pack(record: Mapping[str, ArrayLike]) -> bytes:
    content = io.BytesIO()
    arrays: Any = {name: np.asarray(value) for name, value in record.items()}
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def _unpack(content: bytes) -> Record:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
