"""How the fuzz runs: what is done to sound files and arguments, how often, and how a hang is told.

With the other tests it runs for about a minute, always with the same examples. By hand, for an hour, with new ones:

    FUZZ=60 python -m pytest tests/fuzz --timeout=0
"""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("FUZZ", "0"))
"""How many times as many examples as usual; 0 for the usual ones."""

PATIENCE = 5.0
"""Seconds of processor time, which a busy machine does not lengthen, before an input counts as one that hangs."""

TOKENS = (
    *("", "0", "-1", "-0", "1e400", ".nan", "nan", "inf", "-.inf", "1_000", "0b_", "1:59:59", "²", "٣", "1.5", "0.5"),
    *("9" * 10, "9" * 19, "9" * 30, "9" * 400, "9" * 5000, "0x" + "f" * 80, "0x" + "f" * 5000, "1" + ":59" * 300),
    *("null", "true", "2026-01-31", "x", "x" * 300, "x" * 140_000, "{}", "[]", "[1]", "{a: {b: 1}}", "{1: 2, 1: 3}"),
    *("~nosuchuser", "~nosuchuser/x.py:y", "..", "/", ".", "a/b", "a:b", ":", ".py:", "*", "[", "**/[", "-", "--"),
    *(
        "\0",
        "\x1b[31m",
        "\n",
        "\r",
        "\t",
        "\u2028",
        "\ufeff",
        "\ud800",
        "\udcff",
        "[/b]",
        "$x$",
        "$\\frac",
        "%s",
        "{0}",
    ),
    *("&a", "*a", "&a [*a]", "<<", "!!int", "!!bool x", "!!python/object:os.system", "? ", "- ", "---", "|", "@", "`"),
    *("'", '"', '"\\0"', '"\\ud800"', '"\\x1b"', "\\", "#", ",", ";", "=", "<", "<a>", "</a>", "&amp;", "]]>", "<!--"),
    *("[" * 40, "[" * 5000, "{" * 40, "- " * 5000, "<a>" * 5000, '{"a":' * 5000, "(" * 5000, "," * 5000),
)
"""What has broken a reader of text before, or might."""

Answer = TypeVar("Answer")
_PIECE = re.compile(r"\w[\w.+-]*|\s|[^\w\s]")

tokens = st.sampled_from(TOKENS) | st.text(max_size=8) | st.integers().map(str) | st.floats().map(str)


def fuzz(examples: int) -> Callable[[Any], Any]:
    """Runs a test on so many examples, or :data:`FACTOR` times as many."""
    return settings(
        max_examples=examples * max(FACTOR, 1),
        derandomize=not FACTOR,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def mangled(draw: st.DrawFn, text: str) -> str:
    """A sound text with up to four of its words and signs replaced, doubled or taken out."""
    pieces = _PIECE.findall(text)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(pieces) - 1))
        kind = draw(st.sampled_from(["replace", "replace", "replace", "insert", "double", "delete"]))
        if kind == "delete":
            pieces[place] = ""
        elif kind == "double":
            pieces[place] *= 2
        elif kind == "insert":
            pieces[place] += draw(tokens)
        else:
            pieces[place] = draw(tokens)
    return "".join(pieces)


def texts(*sound: str) -> st.SearchStrategy[bytes]:
    """Files: mostly sound texts that were mangled, now and then anything."""
    return st.one_of(
        *(mangled(text).map(lambda text: text.encode("utf-8", "surrogatepass")) for text in sound),
        st.binary(max_size=200),
        tokens.map(lambda text: text.encode("utf-8", "surrogatepass")),
    )


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which up to eight were changed, and the end perhaps cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 8))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(0, len(changed)) | st.just(len(changed)))])


class HangError(Exception):
    """An input took too long."""


def answer(refusal: type[Exception], ask: Callable[[], Answer]) -> Answer | None:
    """What is answered in time, or ``None`` where it is refused with words; any other error is a fault."""
    try:
        with no_hang():
            return ask()
    except refusal as error:
        if not str(error):
            raise
        return None


@contextmanager
def no_hang() -> Iterator[None]:
    """Raises :class:`HangError` in the block after :data:`PATIENCE` seconds of this process's processor time."""

    def stop(number: int, frame: object) -> None:
        raise HangError(f"more than {PATIENCE:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
