"""Text that others wrote (an error's words, a file's name), as any database can store it."""

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


class Message(TypeDecorator[str]):
    r"""A text column for messages.

    PostgreSQL stores no NUL character, and neither database half a character, as Python reads a file's name that is not
    Unicode. A message may quote either, so both are written as ``\x00`` or ``\udcff``.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (signature of SQLAlchemy)
        """The text with such characters escaped."""
        if value is None:
            return None
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
