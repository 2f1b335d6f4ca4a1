"""An answer: rows with stable field names, and what is to be said of them."""

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """The answer to a question.

    Args:
        title: What it shows, where the question does not say so.
        rows: One mapping a row, all with the same keys.
        notes: Lines that a reader needs beside the rows.
        data: Keys that are for programs only: what they hold is said in the notes.
    """

    title: str | None
    rows: list[Row]
    notes: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
