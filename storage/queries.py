"""Questions about jobs, one function each.

All take a session of :meth:`storage.engine.Database.reading`, which the caller keeps short, and return the frozen rows
of :mod:`storage.rows`. Those about arms read counters, so their time does not grow with the pulls.
"""

import json
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from storage.clock import now
from storage.lookup import unknown_job
from storage.models import Arm, BanditRecord, Candidate, Check, Event, Image, Job, JobState, Pull, Score, Subject
from storage.rows import ArmRow, BanditRow, CheckMatrix, EventRow, ImageRow, JobRow, PullRow, ScoreMatrix
from storage.verification import verify

__all__ = [
    "ArmRow",
    "BanditRow",
    "CheckMatrix",
    "EventRow",
    "ImageRow",
    "JobRow",
    "PullRow",
    "ScoreMatrix",
    "all_pulls",
    "arms",
    "bandits",
    "checks",
    "events",
    "images",
    "job",
    "jobs",
    "pulls",
    "scores",
    "verify",
]

Question = Select[*tuple[Any, ...]]

PAGE = 10_000
"""Pulls that are read at once where all are wanted."""


def jobs(session: Session, *, state: JobState | None = None) -> list[JobRow]:
    """Every job, the newest first.

    Args:
        session: Of ``Database.reading``.
        state: Only jobs in this state.
    """
    question = _jobs().order_by(Job.id.desc())
    if state is not None:
        question = question.where(Job.state == state)
    return [_job_row(row) for row in session.execute(question)]


def job(session: Session, name: str) -> JobRow:
    """The job of that name.

    Raises:
        UnknownJobError: If there is none; names the nearest ones.
    """
    row = session.execute(_jobs().where(Job.name == name)).one_or_none()
    if row is None:
        raise unknown_job(session, name)
    return _job_row(row)


def bandits(session: Session, name: str) -> list[BanditRow]:
    """The job's bandits by round, in the order of the settings, with the sums of their arms' counters.

    Raises:
        UnknownJobError: If there is no such job.
    """
    best: dict[int, list[Candidate]] = {}
    candidates: dict[tuple[int, int | None], Candidate] = {}
    totals: dict[int, tuple[int, int]] = {}
    for arm in arms(session, name):
        pulls_, successes = totals.get(arm.bandit_id, (0, 0))
        totals[arm.bandit_id] = (pulls_ + arm.pulls, successes + arm.successes)
        candidates[arm.bandit_id, arm.rank] = arm.candidate
        if arm.may_be_best:
            best.setdefault(arm.bandit_id, []).append(arm.candidate)
    question = (
        select(BanditRecord)
        .join(Job, Job.id == BanditRecord.job_id)
        .where(Job.name == name)
        .order_by(BanditRecord.round, BanditRecord.id)
    )
    return [
        BanditRow(
            row.id,
            row.round,
            row.setting,
            row.base,
            row.outcome,
            candidates.get((row.id, row.winner_rank)),
            row.confidence,
            tuple(best.get(row.id, ())),
            *totals[row.id],
        )
        for row in session.scalars(question)
    ]


def arms(session: Session, name: str, *, setting: str | None = None, round: int | None = None) -> list[ArmRow]:  # noqa: A002 (the field's name)
    """The job's arms with their counters, by round and bandit, in the order of the candidates.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Only the arms of the bandit of this setting (or of ``joint``).
        round: Only the arms of this round, from 1.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(
            Arm.id,
            Arm.bandit_id,
            BanditRecord.round,
            BanditRecord.setting,
            Arm.rank,
            Arm.candidate,
            Arm.pulls,
            Arm.successes,
            Arm.value_sum,
            Arm.may_be_best,
        )
        .join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        .where(BanditRecord.job_id == _job_id(session, name))
        .order_by(BanditRecord.round, BanditRecord.id, Arm.rank)
    )
    return [ArmRow(*row) for row in session.execute(_of_bandit(question, setting, round))]


def pulls(
    session: Session,
    name: str,
    *,
    setting: str | None = None,
    round: int | None = None,  # noqa: A002 (the field's name)
    after: tuple[int, int] = (0, 0),
    limit: int = 1000,
) -> list[PullRow]:
    """A page of the job's pulls, by bandit and trial; the next page begins after the last row's bandit_id and t.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Only the pulls of the bandit of this setting (or of ``joint``).
        round: Only the pulls of this round, from 1.
        after: (bandit_id, t) of the last pull that was seen.
        limit: The most rows to return.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(
            Pull.bandit_id,
            BanditRecord.round,
            BanditRecord.setting,
            Pull.t,
            Pull.arm_id,
            Arm.candidate,
            Pull.image_id,
            Image.name,
            Image.rank,
            Score.value,
            Pull.success,
            Pull.at,
        )
        .join(BanditRecord, BanditRecord.id == Pull.bandit_id)
        .join(Arm, Arm.id == Pull.arm_id)
        .join(Image, Image.id == Pull.image_id)
        .join(Score, and_(Score.arm_id == Pull.arm_id, Score.image_id == Pull.image_id))
        .where(BanditRecord.job_id == _job_id(session, name), tuple_(Pull.bandit_id, Pull.t) > after)
        .order_by(Pull.bandit_id, Pull.t)
        .limit(limit)
    )
    return [PullRow(*row) for row in session.execute(_of_bandit(question, setting, round))]


def all_pulls(
    session: Session,
    name: str,
    *,
    setting: str | None = None,
    round: int | None = None,  # noqa: A002 (the field's name)
) -> Iterator[PullRow]:
    """The job's pulls by bandit and trial, as :func:`pulls` gives them, read page by page as they are taken.

    Raises:
        UnknownJobError: If there is no such job.
    """
    after = (0, 0)
    while page := pulls(session, name, setting=setting, round=round, after=after, limit=PAGE):
        yield from page
        after = (page[-1].bandit_id, page[-1].t)


def scores(
    session: Session,
    name: str,
    *,
    setting: str | None = None,
    round: int | None = None,  # noqa: A002 (the field's name)
) -> ScoreMatrix:
    """The value of every arm on every image that the job's bandits may see, NaN where it is not known.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Only the arms of the bandit of this setting (or of ``joint``).
        round: Only the arms of this round, from 1.

    Raises:
        UnknownJobError: If there is no such job.
    """
    columns = arms(session, name, setting=setting, round=round)
    rows = images(session, name)[: job(session, name).tuned_on]
    matrix = np.full((len(rows), len(columns)), np.nan)
    row_of = {image.id: i for i, image in enumerate(rows)}
    column_of = {arm.id: j for j, arm in enumerate(columns)}
    question = (
        select(Score.arm_id, Score.image_id, Score.value)
        .join(Arm, Arm.id == Score.arm_id)
        .join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        .where(BanditRecord.job_id == _job_id(session, name))
    )
    known = session.execute(_of_bandit(question, setting, round)).all()
    if known:
        arm_ids, image_ids, values = zip(*known, strict=True)
        matrix[[row_of[image] for image in image_ids], [column_of[arm] for arm in arm_ids]] = values
    return ScoreMatrix(tuple(columns), tuple(rows), matrix)


def checks(session: Session, name: str) -> CheckMatrix:
    """The value of what the job learned, of its base and of what needs no network, on the images kept from the bandits.

    Raises:
        UnknownJobError: If there is no such job.
    """
    subjects: tuple[Subject, ...] = get_args(Subject)
    first = job(session, name).tuned_on
    held_out = images(session, name)[first:]
    matrix = np.full((len(held_out), len(subjects)), np.nan)
    question = (
        select(Image.rank, Check.subject, Check.value)
        .join(Image, Image.id == Check.image_id)
        .where(Image.job_id == _job_id(session, name), Image.rank >= first)
    )
    for rank, subject, value in session.execute(question):
        matrix[rank - first, subjects.index(subject)] = value
    return CheckMatrix(subjects, tuple(held_out), matrix)


def images(session: Session, name: str, *, quarantined: bool | None = None) -> list[ImageRow]:
    """The job's sampled images in the order of the permutation.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        quarantined: Only those left out (True) or only those in use (False).

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(Image.id, Image.rank, Image.name, Image.failures, Image.quarantined, Image.error)
        .where(Image.job_id == _job_id(session, name))
        .order_by(Image.rank)
    )
    if quarantined is not None:
        question = question.where(Image.quarantined == quarantined)
    return [ImageRow(*row) for row in session.execute(question)]


def events(session: Session, name: str, *, after: int = 0, limit: int = 1000) -> list[EventRow]:
    """What happened to the job, the oldest first; the next page begins after the last row's id.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(Event.id, Event.at, Event.kind, Event.message)
        .where(Event.job_id == _job_id(session, name), Event.id > after)
        .order_by(Event.id)
        .limit(limit)
    )
    return [EventRow(*row) for row in session.execute(question)]


def _jobs() -> Question:
    pulled = (
        select(func.coalesce(func.sum(Arm.pulls), 0))
        .join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        .where(BanditRecord.job_id == Job.id)
        .scalar_subquery()
    )
    checked = (
        select(func.count())
        .select_from(Check)
        .join(Image, Image.id == Check.image_id)
        .where(Image.job_id == Job.id, Check.subject == "learned")
        .scalar_subquery()
    )
    return select(
        Job.id,
        Job.name,
        Job.state,
        Job.outcome,
        func.coalesce(Job.lease_expires > now(), False).label("live"),
        Job.owner,
        Job.stop_requested,
        Job.seed,
        Job.threshold,
        Job.images,
        Job.held_out,
        checked.label("checked"),
        Job.quarantined,
        pulled.label("pulls"),
        Job.created,
        Job.started,
        Job.ended,
        Job.spec,
        Job.dataset_sha256,
        Job.pixels_sha256,
        Job.checkpoint_sha256,
        Job.parameters_sha256,
        Job.versions,
        Job.baseline,
    )


def _job_row(row: Any) -> JobRow:
    values = row._asdict()
    return JobRow(**values | {"spec": json.loads(row.spec), "live": bool(row.live), "pulls": int(row.pulls)})


def _of_bandit(question: Question, setting: str | None, round: int | None) -> Question:  # noqa: A002 (the field's name)
    if setting is not None:
        question = question.where(BanditRecord.setting == setting)
    if round is not None:
        question = question.where(BanditRecord.round == round)
    return question


def _job_id(session: Session, name: str) -> int:
    found = session.execute(select(Job.id).where(Job.name == name)).scalar_one_or_none()
    if found is None:
        raise unknown_job(session, name)
    return found
