"""Questions about jobs, one function each.

All take a session of :meth:`storage.engine.Database.reading`, which the caller keeps short, and return the frozen rows
of :mod:`storage.rows`. Those about arms read counters, so their time does not grow with the pulls.
"""

import json
from typing import Any

import numpy as np
from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from storage.clock import now
from storage.lookup import unknown_job
from storage.models import Arm, Event, Image, Job, JobState, Pull, Score, Weight, WeightName
from storage.rows import ArmRow, EventRow, ImageRow, JobRow, PullRow, ScoreMatrix, Value, WeightRow, value_of
from storage.verification import verify

__all__ = [
    "ArmRow",
    "EventRow",
    "ImageRow",
    "JobRow",
    "PullRow",
    "ScoreMatrix",
    "WeightRow",
    "arms",
    "events",
    "images",
    "job",
    "jobs",
    "pulls",
    "scores",
    "verify",
    "weights",
]

Question = Select[*tuple[Any, ...]]


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


def weights(session: Session, name: str) -> list[WeightRow]:
    """The job's bandits by round, in the order of the job file, with the sums of their arms' counters.

    Raises:
        UnknownJobError: If there is no such job.
    """
    best: dict[int, list[Value]] = {}
    values: dict[tuple[int, int | None], Value] = {}
    totals: dict[int, tuple[int, int]] = {}
    for arm in arms(session, name):
        pulls_, successes = totals.get(arm.weight_id, (0, 0))
        totals[arm.weight_id] = (pulls_ + arm.pulls, successes + arm.successes)
        values[arm.weight_id, arm.rank] = arm.value
        if arm.may_be_best:
            best.setdefault(arm.weight_id, []).append(arm.value)
    question = (
        select(Weight.id, Weight.round, Weight.name, Weight.outcome, Weight.winner_rank, Weight.confidence)
        .join(Job, Job.id == Weight.job_id)
        .where(Job.name == name)
        .order_by(Weight.round, Weight.id)
    )
    return [
        WeightRow(
            id_, round_, name_, outcome, values.get((id_, winner)), confidence, tuple(best.get(id_, ())), *totals[id_]
        )
        for id_, round_, name_, outcome, winner, confidence in session.execute(question)
    ]


def arms(session: Session, name: str, *, weight: WeightName | None = None, round: int | None = None) -> list[ArmRow]:  # noqa: A002 (the field's name)
    """The job's arms with their counters, by round and weight, in the order of the candidate values.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        weight: Only the arms of this weight.
        round: Only the arms of this round, from 1.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(
            Arm.id,
            Arm.weight_id,
            Weight.round,
            Weight.name,
            Arm.rank,
            Arm.value,
            Arm.cur,
            Arm.suc,
            Arm.pre,
            Arm.pulls,
            Arm.successes,
            Arm.iou_sum,
            Arm.may_be_best,
        )
        .join(Weight, Weight.id == Arm.weight_id)
        .where(Weight.job_id == _job_id(session, name))
        .order_by(Weight.round, Weight.id, Arm.rank)
    )
    found = session.execute(_of_weight(question, weight, round))
    return [ArmRow(*[*row[:5], value_of(*row[5:9]), *row[6:]]) for row in found]


def pulls(
    session: Session,
    name: str,
    *,
    weight: WeightName | None = None,
    round: int | None = None,  # noqa: A002 (the field's name)
    after: tuple[int, int] = (0, 0),
    limit: int = 1000,
) -> list[PullRow]:
    """A page of the job's pulls, by weight and trial; the next page begins after the last row's weight_id and t.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        weight: Only the pulls of this weight.
        round: Only the pulls of this round, from 1.
        after: (weight_id, t) of the last pull that was seen.
        limit: The most rows to return.

    Raises:
        UnknownJobError: If there is no such job.
    """
    question = (
        select(
            Pull.weight_id,
            Weight.round,
            Weight.name,
            Pull.t,
            Pull.arm_id,
            Arm.value,
            Arm.cur,
            Arm.suc,
            Arm.pre,
            Pull.image_id,
            Image.name,
            Image.rank,
            Score.iou,
            Pull.success,
            Pull.at,
        )
        .join(Weight, Weight.id == Pull.weight_id)
        .join(Arm, Arm.id == Pull.arm_id)
        .join(Image, Image.id == Pull.image_id)
        .join(Score, and_(Score.arm_id == Pull.arm_id, Score.image_id == Pull.image_id))
        .where(Weight.job_id == _job_id(session, name), tuple_(Pull.weight_id, Pull.t) > after)
        .order_by(Pull.weight_id, Pull.t)
        .limit(limit)
    )
    found = session.execute(_of_weight(question, weight, round))
    return [PullRow(*[*row[:5], value_of(*row[5:9]), *row[9:]]) for row in found]


def scores(
    session: Session,
    name: str,
    *,
    weight: WeightName | None = None,
    round: int | None = None,  # noqa: A002 (the field's name)
) -> ScoreMatrix:
    """The IOU of every arm on every image of the job, NaN where it is not known.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        weight: Only the arms of this weight.
        round: Only the arms of this round, from 1.

    Raises:
        UnknownJobError: If there is no such job.
    """
    columns = arms(session, name, weight=weight, round=round)
    rows = images(session, name)
    matrix = np.full((len(rows), len(columns)), np.nan)
    row_of = {image.id: i for i, image in enumerate(rows)}
    for j, arm in enumerate(columns):
        known = session.execute(select(Score.image_id, Score.iou).where(Score.arm_id == arm.id)).all()
        if known:
            matrix[[row_of[image] for image, _ in known], j] = [iou for _, iou in known]
    return ScoreMatrix(tuple(columns), tuple(rows), matrix)


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
        .join(Weight, Weight.id == Arm.weight_id)
        .where(Weight.job_id == Job.id)
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
        Job.quarantined,
        pulled.label("pulls"),
        Job.created,
        Job.started,
        Job.ended,
        Job.spec,
        Job.dataset_sha256,
        Job.checkpoint_sha256,
        Job.versions,
        Job.baseline,
    )


def _job_row(row: Any) -> JobRow:
    values = row._asdict()
    return JobRow(**values | {"spec": json.loads(row.spec), "live": bool(row.live), "pulls": int(row.pulls)})


def _of_weight(question: Question, weight: WeightName | None, round: int | None) -> Question:  # noqa: A002 (the field's name)
    if weight is not None:
        question = question.where(Weight.name == weight)
    if round is not None:
        question = question.where(Weight.round == round)
    return question


def _job_id(session: Session, name: str) -> int:
    found = session.execute(select(Job.id).where(Job.name == name)).scalar_one_or_none()
    if found is None:
        raise unknown_job(session, name)
    return found
