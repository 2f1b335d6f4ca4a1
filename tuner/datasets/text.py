"""Text files and tables of a data set, with what is wrong with them in one line."""

import csv
from collections.abc import Iterator
from pathlib import Path

from tuner.errors import DatasetError


def read_lines(path: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        DatasetError: If it is missing or is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; check root, split and labels of the data set") from error
    except (OSError, ValueError) as error:  # text that is not UTF-8, or a null character in the path
        raise DatasetError(f"{path}: cannot be read as text ({error}); mend the file") from error


def read_rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV file that are not empty: ``FILE:LINE`` and the cells of each.

    Raises:
        DatasetError: If it is missing or is no CSV, or if a cell is longer than 131,072 characters; names the line.
    """
    rows = csv.reader(read_lines(path), strict=True)
    try:
        for row in rows:
            if row:
                yield f"{path}:{rows.line_num}", row
    except csv.Error as error:
        raise DatasetError(f"{path}:{rows.line_num}: not CSV ({error}); mend the line") from error
