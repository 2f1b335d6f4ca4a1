"""The schema: jobs, their bandits and arms, and what was scored and pulled.

A *score* is the value that a job's reward gives an arm on an image; a *pull* is a policy's choice, which reads a score.
Arms carry counters of their pulls, so that a question about arms never scans pulls. ``docs/database.md`` explains every
table.
"""

import json
from datetime import datetime
from typing import Any, Literal, cast, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from storage.clock import Instant
from storage.text import Message

JobState = Literal["pending", "running", "stopping", "stopped", "finished", "failed"]
Subject = Literal["base", "learned", "whole_image"]
"""What a check judges: the settings before and after learning, and an explanation that needs no network at all."""

Outcome = Literal["decided", "epsilon", "exhausted", "tied", "stopped", "failed"]

Value = bool | int | float | str | None
"""What a setting of the trace may be set to, as JSON carries it; null is the network's own ``input``."""

Candidate = Value | dict[str, Value]
"""What an arm tries: a value of the bandit's setting; in a joint search a value of each setting that it combines."""


class JsonText(TypeDecorator[Any]):
    """JSON in a column of text: SQLite would make the whole number 1 of 1.0 in a column of its type JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002 (signature of SQLAlchemy)
        """The text."""
        return json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 (signature of SQLAlchemy)
        """What the text stands for."""
        return None if value is None else json.loads(value)


_Json: TypeEngine[Any] = JSON().with_variant(JsonText(), "sqlite")

Key = BigInteger().with_variant(Integer, "sqlite")


def _one_of(column: str, values: object) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(value) for value in get_args(values))})", name=column)


class Base(DeclarativeBase):
    """The tables' registry; constraints are named alike on every database, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's declarative attribute)
        datetime: Instant,
        float: Double,
        dict[str, Any]: JSON,
        dict[str, str]: JSON,
        dict[str, Value]: JSON,
    }


class Job(Base):
    """One tuning job: its configuration, where it stands, and who may write to it."""

    __tablename__ = "job"
    __table_args__ = (_one_of("state", JobState), _one_of("outcome", Outcome))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    spec: Mapped[str] = mapped_column(Text)  # canonical JSON: the same bytes for the same configuration
    seed: Mapped[int] = mapped_column(BigInteger)
    threshold: Mapped[float]  # a pull succeeds where the value is at least this
    state: Mapped[JobState] = mapped_column(String(8), default="pending")
    outcome: Mapped[Outcome | None] = mapped_column(String(9))
    stop_requested: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    owner: Mapped[str | None] = mapped_column(String(200))  # of the lease; null while nobody runs the job
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)  # fencing: grows with every lease
    lease_expires: Mapped[datetime | None]
    dataset_sha256: Mapped[str | None] = mapped_column(String(64))
    pixels_sha256: Mapped[str | None] = mapped_column(String(64))  # of the sampled images; null in older jobs
    checkpoint_sha256: Mapped[str | None] = mapped_column(String(64))  # of the file
    parameters_sha256: Mapped[str | None] = mapped_column(String(64))  # as loaded; null in older jobs
    code_sha256: Mapped[str | None] = mapped_column(String(64))  # of the user's own; null where there is none
    versions: Mapped[dict[str, str]]
    baseline: Mapped[dict[str, Any]]  # figures of what needs no network, on the same images; empty without such
    images: Mapped[int] = mapped_column(BigInteger)
    held_out: Mapped[int] = mapped_column(BigInteger, server_default="0")  # the last so many: kept from the bandits
    quarantined: Mapped[int] = mapped_column(BigInteger, default=0)
    revision: Mapped[int] = mapped_column(BigInteger, server_default="0")  # grows whenever an answer about it changes


class BanditRecord(Base):
    """One bandit: the setting that it tunes in a round of a job, what it holds the others at, and how it came out."""

    __tablename__ = "bandit"
    __table_args__ = (UniqueConstraint("job_id", "round", "setting"), _one_of("outcome", Outcome))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job_id: Mapped[int] = mapped_column(Key, ForeignKey("job.id", ondelete="CASCADE"))
    round: Mapped[int]
    setting: Mapped[str] = mapped_column(String(40))  # its name; "joint" where the arms combine several settings
    base: Mapped[dict[str, Value]]  # what the settings that it does not tune are held at
    outcome: Mapped[Outcome | None] = mapped_column(String(9))
    winner_rank: Mapped[int | None]  # of the arm chosen among those that may be best
    confidence: Mapped[float | None]  # that the best arm is among those that may be best


class Arm(Base):
    """A candidate of a bandit's setting, or a combination of several settings', with the counters of its pulls."""

    __tablename__ = "arm"
    __table_args__ = (
        UniqueConstraint("bandit_id", "rank"),
        CheckConstraint("pulls >= 0 AND successes BETWEEN 0 AND pulls", name="counters"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    bandit_id: Mapped[int] = mapped_column(Key, ForeignKey("bandit.id", ondelete="CASCADE"))
    rank: Mapped[int]  # position among the candidates, from 0
    candidate: Mapped[Candidate] = mapped_column(_Json, nullable=False)  # a value, or a mapping from setting to value
    pulls: Mapped[int] = mapped_column(BigInteger, default=0)
    successes: Mapped[int] = mapped_column(BigInteger, default=0)
    value_sum: Mapped[float] = mapped_column(default=0.0)
    may_be_best: Mapped[bool | None]  # null until the bandit has an outcome


class Image(Base):
    """A sampled image of a job, in the order of the seeded permutation."""

    __tablename__ = "image"
    __table_args__ = (UniqueConstraint("job_id", "rank"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job_id: Mapped[int] = mapped_column(Key, ForeignKey("job.id", ondelete="CASCADE"))
    rank: Mapped[int]  # position in the sample, from 0
    name: Mapped[str] = mapped_column(Text)  # the data set's id of the image
    failures: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Message)  # of the last failure


class Score(Base):
    """The value that the job's reward gives an arm on an image: deterministic, written once."""

    __tablename__ = "score"
    __table_args__ = (
        CheckConstraint("value BETWEEN 0 AND 1", name="value"),
        {"sqlite_with_rowid": False},
    )

    arm_id: Mapped[int] = mapped_column(Key, ForeignKey("arm.id", ondelete="CASCADE"), primary_key=True)
    image_id: Mapped[int] = mapped_column(Key, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    value: Mapped[float]


class Pull(Base):
    """The t-th choice of a bandit's policy: which arm, on which image. What it reads is the score of both."""

    __tablename__ = "pull"
    __table_args__ = (
        ForeignKeyConstraint(["arm_id", "image_id"], ["score.arm_id", "score.image_id"], ondelete="CASCADE"),
        UniqueConstraint("arm_id", "image_id"),
        CheckConstraint("t >= 1", name="t"),
        {"sqlite_with_rowid": False},
    )

    bandit_id: Mapped[int] = mapped_column(Key, ForeignKey("bandit.id", ondelete="CASCADE"), primary_key=True)
    t: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # trial number, from 1
    arm_id: Mapped[int] = mapped_column(Key)
    image_id: Mapped[int] = mapped_column(Key)
    success: Mapped[bool]
    at: Mapped[datetime]


class Check(Base):
    """The value of what was learned, or of what that is held against, on an image kept from the bandits."""

    __tablename__ = "check"
    __table_args__ = (
        _one_of("subject", Subject),
        CheckConstraint("value BETWEEN 0 AND 1", name="value"),
        {"sqlite_with_rowid": False},
    )

    image_id: Mapped[int] = mapped_column(Key, ForeignKey("image.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[Subject] = mapped_column(String(11), primary_key=True)
    value: Mapped[float]


class Event(Base):
    """Something that happened to a job, in words."""

    __tablename__ = "event"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job_id: Mapped[int] = mapped_column(Key, ForeignKey("job.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(Message)


JOBS, IMAGES, SCORES, PULLS, ARMS, CHECKS = (
    cast("Table", model.__table__) for model in (Job, Image, Score, Pull, Arm, Check)
)
