"""Text of a user's own, file names and values above all, as a terminal may show it."""

_LONGEST = 2000


def printable(text: str) -> str:
    r"""The text on one line: a space for a line break or tab, an escape such as ``\x1b`` for what cannot be shown."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def one_line(error: BaseException) -> str:
    """What an error says, as one line; the middle of a very long one is left out."""
    text = printable(str(error))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
