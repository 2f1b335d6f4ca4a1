"""Text files and tables of a data set, with what is wrong with them in one line."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from tracer.files import open_regular
from tuner.errors import DatasetError

MAX_BYTES = 2**28
"""How long a text file may be; ImageNet's list of all training images with their boxes has 0.03 GB."""


def read_bytes(
    path: Path, most: int, missing: str = "no such file; check root, split and labels of the data set"
) -> bytes:
    """The content of a regular file: a device or a pipe may never end.

    Args:
        path: The file.
        most: How many bytes it may have.
        missing: What is said, with the mend, where there is none.

    Raises:
        DatasetError: If it is missing, cannot be read, is no regular file or is longer.
    """
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: {missing}") from error
    except (OSError, ValueError) as error:  # also a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be read ({reason}); mend the file") from error
    if len(content) > most:
        raise DatasetError(f"{path}: longer than {most} bytes; take a part of it")
    return content


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; errors as of :func:`read_text`."""
    return read_text(path).splitlines()


def read_text(path: Path) -> str:
    """The content of a text file.

    Raises:
        DatasetError: If it is missing, is no UTF-8 text, is no regular file or is longer than :data:`MAX_BYTES`.
    """
    try:
        return read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: cannot be read as text ({error}); mend the file") from error


def read_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV file that are not empty: ``FILE:LINE`` and the cells of each.

    Raises:
        DatasetError: If it is missing or is no CSV, or if a cell is longer than 131,072 characters; names the line.
    """
    rows = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for row in rows:
            if row:
                yield f"{path}:{rows.line_num}", row
    except csv.Error as error:
        raise DatasetError(f"{path}:{rows.line_num}: not CSV ({error}); mend the line") from error
