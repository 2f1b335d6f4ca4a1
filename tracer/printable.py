"""Text of a user's own, file names and values above all, as a terminal may show it."""

import json
from typing import Any

_LONGEST = 2000


def printable(text: str) -> str:
    r"""The text on one line: a space for a line break or tab, an escape such as ``\x1b`` for what cannot be shown."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def json_text(value: Any, indent: int | None = None) -> str:
    r"""A value as JSON in plain letters; bytes in a file's name that are no UTF-8 become escapes such as ``\udce9``."""
    return json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def one_line(error: BaseException) -> str:
    """What an error says, as one line; the middle of a very long one is left out."""
    text = printable(str(error))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
