"""What raters answered, in one SQLite file; nothing in it says who they are.

A rater is known by a *token*, the secret part of the link that he or she was given. The file holds its hash alone. A
commit is on the disk before it is confirmed (``synchronous=EXTRA``), so an answer that a rater was thanked for outlives
a crash of the program, of the machine and of its power.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from experiments.errors import AnswersError

FILE = "answers.sqlite"
"""The name of the file of answers, in the study's folder."""

_TOKEN_BYTES = 16
"""128 bits: no link can be guessed."""

_PRAGMAS = ("synchronous=EXTRA", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=30000")
"""Durable; answers go with their rater; what is deleted is overwritten; writers wait for one another."""

_metadata = MetaData()
_study = Table("study", _metadata, Column("sha256", String, primary_key=True))
_rater = Table(
    "rater",
    _metadata,
    Column("id", String, primary_key=True),
    Column("sheet", Integer, nullable=False),
    Column("agreed", String, nullable=False),
)
_answer = Table(
    "answer",
    _metadata,
    Column("rater", ForeignKey("rater.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("best", Integer, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("rt", Integer),
)


@dataclass(frozen=True)
class Answer:
    """What a rater answered in one trial.

    Args:
        best: The place of the map that describes the object best, from 0.
        scores: How reliable each map is, 1 to 5, by its place.
        rt: Milliseconds from the page to the answer; ``None`` where they are not known.
    """

    best: int
    scores: tuple[int, ...]
    rt: int | None = None


@dataclass(frozen=True)
class Rater:
    """A rater, as the file knows one.

    Args:
        id: A hash of the token.
        sheet: The sheet that he or she sees.
        agreed: The day of consent.
        answers: Number of the trial in the sheet, from 0 → answer.
    """

    id: str
    sheet: int
    agreed: str
    answers: dict[int, Answer]

    @property
    def next(self) -> int:
        """The first trial of the sheet that has no answer yet."""
        return next(number for number in range(len(self.answers) + 1) if number not in self.answers)


class Answers:
    """The answers to one study. Threads and processes may share the file.

    Args:
        path: The file; made where it is missing.
        study_sha256: The study's hash.

    Raises:
        AnswersError: If the file cannot be used, or holds the answers to another study.
    """

    def __init__(self, path: Path, study_sha256: str) -> None:
        self._path = path
        self._engine = create_engine(URL.create("sqlite", database=str(path)))
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        with self._transaction() as connection:
            _metadata.create_all(connection)
            known = connection.scalar(select(_study.c.sha256))
            if known is None:
                connection.execute(insert(_study).values(sha256=study_sha256))
        if known not in (None, study_sha256):
            self.close()
            raise AnswersError(f"{path}: the answers to another study: move the file away, or bring its study back")

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def admit(self, sheets: int) -> str:
        """A new rater, who has agreed to take part, on the sheet that the fewest have; returns the token.

        Args:
            sheets: How many sheets there are.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._transaction() as connection:
            taken = {
                row.sheet: row.raters
                for row in connection.execute(
                    select(_rater.c.sheet, func.count().label("raters")).group_by(_rater.c.sheet)
                )
            }
            sheet = min(range(sheets), key=lambda each: taken.get(each, 0))
            today = datetime.now(UTC).date().isoformat()
            connection.execute(insert(_rater).values(id=_id(token), sheet=sheet, agreed=today))
        return token

    def find(self, token: str) -> Rater | None:
        """The rater of a token; ``None`` where there is none, or none any more."""
        return next(iter(self._raters(_rater.c.id == _id(token))), None)

    def all(self) -> list[Rater]:
        """All raters, by their ids: the order in which they came is not kept."""
        return self._raters(_rater.c.id != "")

    def add(self, token: str, number: int, answer: Answer) -> None:
        """Keep an answer; one that is there already stays, so that a form may be sent twice.

        Args:
            token: The rater's.
            number: The trial's in the sheet, from 0.
            answer: What was answered.
        """
        row = {"rater": _id(token), "number": number, "best": answer.best, "scores": answer.scores, "rt": answer.rt}
        with self._transaction() as connection:
            connection.execute(insert(_answer).prefix_with("OR IGNORE").values(row))

    def withdraw(self, token: str) -> bool:
        """Delete a rater with all answers; returns whether there was one."""
        with self._transaction() as connection:
            return connection.execute(delete(_rater).where(_rater.c.id == _id(token))).rowcount > 0

    def _raters(self, condition: Any) -> list[Rater]:
        with self._transaction() as connection:
            raters = {
                row.id: Rater(row.id, row.sheet, row.agreed, {})
                for row in connection.execute(select(_rater).where(condition).order_by(_rater.c.id))
            }
            for row in connection.execute(select(_answer).join(_rater).where(condition).order_by(_answer.c.number)):
                raters[row.rater].answers[row.number] = Answer(row.best, tuple(row.scores), row.rt)
        return list(raters.values())

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise AnswersError(f"{self._path}: cannot be used ({getattr(error, 'orig', None) or error})") from error


def _id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver's own transactions begin too late; see the event "begin"
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
