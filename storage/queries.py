"""Questions about jobs, one function each.

All take a session of :meth:`storage.engine.Database.reading`, which the caller keeps short, and return the frozen rows
of :mod:`storage.rows`. Those about arms read counters, so their time does not grow with the pulls.
"""

import heapq
import json
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, case, func, select, text, tuple_
from sqlalchemy.orm import Session

from storage.clock import now
from storage.lookup import unknown_job
from storage.models import Arm, BanditRecord, Candidate, Check, Event, Image, Job, JobState, Pull, Score, Subject
from storage.rows import (
    ArmRow,
    BanditRow,
    CheckMatrix,
    EventRow,
    ImageRow,
    ImageScoreRow,
    JobRow,
    PullRow,
    ScoreMatrix,
    StretchRow,
)
from storage.verification import verify

__all__ = [
    "ArmRow",
    "BanditRow",
    "CheckMatrix",
    "EventRow",
    "ImageRow",
    "ImageScoreRow",
    "JobRow",
    "PullRow",
    "ScoreMatrix",
    "StretchRow",
    "all_pulls",
    "arms",
    "bandits",
    "change_counter",
    "checks",
    "events",
    "image",
    "image_scores",
    "images",
    "job",
    "jobs",
    "newest_events",
    "newest_pulls",
    "pulls",
    "pulls_on",
    "revisions",
    "scores",
    "stretches",
    "verify",
]

Question = Select[*tuple[Any, ...]]

PAGE = 10_000
"""Pulls that are read at once where all are wanted."""


def jobs(
    session: Session, *, state: JobState | None = None, before: int | None = None, limit: int | None = None
) -> list[JobRow]:
    """Every job, the newest first.

    Args:
        session: Of ``Database.reading``.
        state: Only jobs in this state.
        before: Only jobs that are older than the one with this id: those of the next page.
        limit: The most rows to return; all of them without it.
    """
    question = _jobs().order_by(Job.id.desc()).limit(limit)
    if state is not None:
        question = question.where(Job.state == state)
    if before is not None:
        question = question.where(Job.id < before)
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
            row.winner_rank,
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
        _pulls()
        .where(BanditRecord.job_id == _job_id(session, name), tuple_(Pull.bandit_id, Pull.t) > after)
        .order_by(Pull.bandit_id, Pull.t)
        .limit(limit)
    )
    return [PullRow(*row) for row in session.execute(_of_bandit(question, setting, round))]


def newest_pulls(
    session: Session,
    name: str,
    *,
    setting: str | None = None,
    round: int | None = None,  # noqa: A002 (the field's name)
    before: Mapping[int, int] | None = None,
    limit: int = 100,
) -> list[PullRow]:
    """A page of the job's pulls, the newest first, over all its bandits.

    Each bandit is read backwards along its trials, and the readings are merged by time; so a page costs the same
    however many pulls there are, and wherever it begins.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Only the pulls of the bandit of this setting (or of ``joint``).
        round: Only the pulls of this round, from 1.
        before: Where the page begins: only pulls of a bandit whose ``t`` is below what stands here under its id. The
            next page begins before the lowest ``t`` of each bandit that was seen.
        limit: The most rows to return.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = select(BanditRecord.id).where(BanditRecord.job_id == _job_id(session, name))
    readings = []
    for bandit in session.scalars(_of_bandit(question, setting, round)).all():
        pulled = _pulls().where(Pull.bandit_id == bandit).order_by(Pull.t.desc()).limit(limit)
        if before is not None and bandit in before:
            pulled = pulled.where(Pull.t < before[bandit])
        readings.append([PullRow(*row) for row in session.execute(pulled)])
    newest = heapq.merge(*readings, key=lambda pull: (pull.at, pull.t, pull.bandit_id), reverse=True)
    return list(islice(newest, limit))


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
    only: Collection[int] | None = None,
    first: int | None = None,
) -> ScoreMatrix:
    """The value of every arm on every image that the job's bandits may see, NaN where it is not known.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Only the arms of the bandit of this setting (or of ``joint``).
        round: Only the arms of this round, from 1.
        only: Only the arms with these ids.
        first: Only so many images, the first of the permutation.

    Raises:
        UnknownJobError: If there is no such job.
    """
    columns = [arm for arm in arms(session, name, setting=setting, round=round) if only is None or arm.id in only]
    tuned_on = job(session, name).tuned_on
    rows = images(session, name, below=tuned_on if first is None else min(first, tuned_on))
    matrix = np.full((len(rows), len(columns)), np.nan)
    if not rows or not columns:
        return ScoreMatrix(tuple(columns), tuple(rows), matrix)
    question: Question = select(Score.arm_id, Score.image_id, Score.value)
    if only is None:
        question = question.join(Arm, Arm.id == Score.arm_id).join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        question = _of_bandit(question.where(BanditRecord.job_id == _job_id(session, name)), setting, round)
    else:
        question = question.where(Score.arm_id.in_([arm.id for arm in columns]))
    image_ids = np.array([row.id for row in rows])
    if first is not None:
        question = question.where(Score.image_id.between(int(image_ids.min()), int(image_ids.max())))
    known = session.connection().execute(question).all()
    if known:
        arms_, images_, values = (np.array(column) for column in zip(*known, strict=True))
        wanted = np.isin(images_, image_ids)
        places = _places(image_ids, images_[wanted]), _places(np.array([arm.id for arm in columns]), arms_[wanted])
        matrix[places] = values[wanted]
    return ScoreMatrix(tuple(columns), tuple(rows), matrix)


def stretches(session: Session, name: str, below: Mapping[int, int], threshold: float, parts: int) -> list[StretchRow]:
    """How often arms succeed on the images in use, counted by the database over parts of the permutation.

    A line over thousands of images is drawn from a hundred counts, so no score leaves the database for it.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        below: By the id of an arm, where in the permutation its images end, at least 1.
        threshold: The value that is a success.
        parts: Into how many stretches of (nearly) equal length those images are cut. One without a success has no row.

    Raises:
        UnknownJobError: If there is no such job.
    """
    job_id = _job_id(session, name)
    if not below:
        return []
    end = case(below, value=Score.arm_id)
    stretch = (Image.rank * parts // end).label("stretch")
    seen = select(func.min(Image.id), func.max(Image.id))
    first, last = session.execute(seen.where(Image.job_id == job_id, Image.rank < max(below.values()))).one()
    question = (
        select(Score.arm_id, stretch, func.count())
        .join(Image, Image.id == Score.image_id)
        .where(Score.arm_id.in_(below), Score.image_id.between(first, last), Score.value >= threshold)
        .where(Image.job_id == job_id, Image.rank < end, Image.quarantined.is_(False))
        .group_by(Score.arm_id, stretch)
    )
    return [StretchRow(*row) for row in session.execute(question)]


def pulls_on(session: Session, arms: Collection[int], images: Collection[int]) -> dict[int, int]:
    """How many pulls of arms are on some images, by the arms' ids; an arm without one is not told.

    Args:
        session: Of ``Database.reading``.
        arms: Their ids.
        images: Their ids.
    """
    question = (
        select(Pull.arm_id, func.count()).where(Pull.arm_id.in_(arms), Pull.image_id.in_(images)).group_by(Pull.arm_id)
    )
    return {arm: int(pulls) for arm, pulls in session.execute(question)}


def checks(session: Session, name: str) -> CheckMatrix:
    """The value of what the job learned, of its base and of what needs no network, on the images kept from the bandits.

    Raises:
        UnknownJobError: If there is no such job.
    """
    subjects: tuple[Subject, ...] = get_args(Subject)
    first = job(session, name).tuned_on
    held_out = images(session, name, start=first)
    matrix = np.full((len(held_out), len(subjects)), np.nan)
    question = (
        select(Image.rank, Check.subject, Check.value)
        .join(Image, Image.id == Check.image_id)
        .where(Image.job_id == _job_id(session, name), Image.rank >= first)
    )
    for rank, subject, value in session.execute(question):
        matrix[rank - first, subjects.index(subject)] = value
    return CheckMatrix(subjects, tuple(held_out), matrix)


def image(session: Session, name: str, rank: int) -> ImageRow | None:
    """The job's image at a position in the permutation, from 0; None where there is none.

    Raises:
        UnknownJobError: If there is no such job.
    """
    return next(iter(images(session, name, start=rank, below=rank + 1)), None)


def image_scores(session: Session, name: str, rank: int, *, after: int = 0, limit: int = 1000) -> list[ImageScoreRow]:
    """What the arms of a job scored on one image, in the order of the arms; the next page begins after the last arm_id.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        rank: The image's position in the permutation, from 0.
        after: Id of the last arm that was seen.
        limit: The most rows to return.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(
            Arm.id,
            BanditRecord.round,
            BanditRecord.setting,
            Arm.candidate,
            Score.value,
            Score.value >= Job.threshold,
            Pull.t,
            Pull.at,
        )
        .join(Job, Job.id == BanditRecord.job_id)
        .join(Arm, Arm.bandit_id == BanditRecord.id)
        .join(Image, and_(Image.job_id == Job.id, Image.rank == rank))
        .join(Score, and_(Score.arm_id == Arm.id, Score.image_id == Image.id))
        .outerjoin(Pull, and_(Pull.arm_id == Arm.id, Pull.image_id == Image.id))
        .where(Job.id == _job_id(session, name), Arm.id > after)
        .order_by(Arm.id)
        .limit(limit)
    )
    return [ImageScoreRow(*row) for row in session.execute(question)]


def images(
    session: Session, name: str, *, quarantined: bool | None = None, start: int = 0, below: int | None = None
) -> list[ImageRow]:
    """The job's sampled images in the order of the permutation.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        quarantined: Only those left out (True) or only those in use (False).
        start: Only those from this position of the permutation on.
        below: Only those before this position.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(Image.id, Image.rank, Image.name, Image.failures, Image.quarantined, Image.error)
        .where(Image.job_id == _job_id(session, name), Image.rank >= start)
        .order_by(Image.rank)
    )
    if below is not None:
        question = question.where(Image.rank < below)
    if quarantined is not None:
        question = question.where(Image.quarantined == quarantined)
    return [ImageRow(*row) for row in session.connection().execute(question).all()]


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


def newest_events(session: Session, name: str, *, before: int | None = None, limit: int = 100) -> list[EventRow]:
    """What happened to the job, the newest first; the next page begins before the last row's id.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(Event.id, Event.at, Event.kind, Event.message)
        .where(Event.job_id == _job_id(session, name))
        .order_by(Event.id.desc())
        .limit(limit)
    )
    if before is not None:
        question = question.where(Event.id < before)
    return [EventRow(*row) for row in session.execute(question)]


def change_counter(session: Session) -> int | None:
    """A number that is another one after anybody else wrote to the database, read by one connection again and again.

    It costs next to nothing. None on PostgreSQL, which keeps no such number.
    """
    if session.connection().dialect.name != "sqlite":
        return None
    return int(session.execute(text("PRAGMA data_version")).scalar_one())


def revisions(session: Session) -> dict[str, str]:
    """A short text for each job, by name, that changes whenever what can be asked about the job does.

    It is the job's revision, with what nobody writes: whether its lease has expired. The id tells a job from a later
    one of the same name. One table is read, so its time grows with the jobs alone.
    """
    question = select(Job.name, Job.id, Job.revision, _live()).order_by(Job.id)
    return {name: f"{id_}.{revision}.{int(live)}" for name, id_, revision, live in session.execute(question)}


def _places(ids: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where each id that was found stands among ids."""
    order = np.argsort(ids)
    places: NDArray[np.intp] = order[np.searchsorted(ids[order], found)]
    return places


def _live() -> ColumnElement[bool]:
    """Whether somebody runs the job that a query is about."""
    return func.coalesce(Job.lease_expires > now(), False)


def _pulls() -> Question:
    return (
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
    )


def _pulled() -> Select[Any]:
    """The pulls of the job that an outer query is about."""
    return (
        select(func.coalesce(func.sum(Arm.pulls), 0))
        .join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        .where(BanditRecord.job_id == Job.id)
    )


def _checked() -> Select[Any]:
    """How many images the check of the job that an outer query is about has scored."""
    return (
        select(func.count())
        .select_from(Check)
        .join(Image, Image.id == Check.image_id)
        .where(Image.job_id == Job.id, Image.rank >= Job.images - Job.held_out, Check.subject == "learned")
    )


def _jobs() -> Question:
    pulled, checked = _pulled().scalar_subquery(), _checked().scalar_subquery()
    return select(
        Job.id,
        Job.name,
        Job.state,
        Job.outcome,
        _live().label("live"),
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
        Job.code_sha256,
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
