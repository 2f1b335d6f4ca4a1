"""Answers to the questions that the command line, Python and the HTTP service ask: rows with stable field names.

Each function takes a session of :meth:`storage.engine.Database.reading` and returns one mapping a row;
``docs/commands.md`` documents every field.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from storage import queries
from storage.models import WeightName
from storage.rows import ArmRow, JobRow, Triple, Value
from tuner.baseline import success_counts
from tuner.policies.intervals import interval

Row = dict[str, Any]

READINGS = {
    "excess": "weighs the succeeding layer's support above its default of 1, so 1 is Eq. 1 and 0 ignores that layer",
    "paper": "multiplies every score alike (Eq. 1 to the letter), so it can change no ranking: tied, and not pulled",
}
"""How α_suc is read, by the job's ``successor``; stands wherever α_suc is shown."""


def jobs(session: Session) -> list[Row]:
    """Every job, the newest first."""
    return [
        {
            "name": job.name,
            "state": standing(job),
            "outcome": job.outcome,
            "architecture": job.spec["architecture"],
            "dataset": job.spec["dataset"]["kind"],
            "policy": job.spec["policy"]["kind"],
            "images": job.images,
            "quarantined": job.quarantined,
            "pulls": job.pulls,
            "created": job.created,
            "ended": job.ended,
        }
        for job in queries.jobs(session)
    ]


def status(session: Session, name: str) -> list[Row]:
    """Where each weight of a job stands."""
    job = queries.job(session, name)
    rows = []
    arms = queries.arms(session, name)
    for weight in queries.weights(session, name):
        leading = max(
            (arm for arm in arms if arm.weight_id == weight.id and arm.pulls),
            key=lambda arm: arm.successes / arm.pulls,
            default=None,
        )
        rows.append(
            {
                "name": name,
                "state": standing(job),
                "round": weight.round,
                "weight": weight.weight,
                "pulls": weight.pulls,
                "budget": job.spec["policy"]["budget"],
                "leading": shown(leading.value) if leading else None,
                "mean": leading.mean if leading else None,
                "outcome": weight.outcome,
                "winner": None if weight.winner is None else shown(weight.winner),
                "may_be_best": [shown(value) for value in weight.may_be_best],
                "confidence": weight.confidence,
            }
        )
    return rows


def arms(session: Session, name: str, weight: WeightName | None = None, round_: int | None = None) -> list[Row]:
    """The arms of a job, with the interval of each mean and the whole image's success on the same images.

    Of a joint search only the triples that were tried.
    """
    job = queries.job(session, name)
    quarantined = [image.rank for image in queries.images(session, name, quarantined=True)] if job.quarantined else []
    baseline = success_counts(job.baseline, job.images, quarantined)
    rows = queries.arms(session, name, weight=weight, round=round_)
    return [_arm(arm, baseline) for arm in rows if arm.pulls or arm.weight != "joint"]


def pulls(session: Session, name: str, weight: WeightName | None = None, round_: int | None = None) -> Iterator[Row]:
    """The pulls of a job, by round, weight and trial; read page by page."""
    after = (0, 0)
    while page := queries.pulls(session, name, weight=weight, round=round_, after=after, limit=10_000):
        for pull in page:
            yield {
                "round": pull.round,
                "weight": pull.weight,
                "t": pull.t,
                "value": shown(pull.value),
                "image": pull.image,
                "iou": pull.iou,
                "success": pull.success,
                "at": pull.at,
            }
        after = (page[-1].weight_id, page[-1].t)


def compare(session: Session, first: str, second: str) -> list[Row]:
    """The arms that two jobs have in common, side by side; the difference is second minus first."""
    theirs = {(arm.round, arm.weight, arm.value): arm for arm in queries.arms(session, second)}
    rows = []
    for ours in queries.arms(session, first):
        other = theirs.get((ours.round, ours.weight, ours.value))
        if other is None:
            continue
        rows.append(
            {
                "round": ours.round,
                "weight": ours.weight,
                "value": shown(ours.value),
                "pulls": ours.pulls,
                "mean": ours.mean,
                "mean_iou": ours.mean_iou,
                "other_pulls": other.pulls,
                "other_mean": other.mean,
                "other_mean_iou": other.mean_iou,
                "difference": None if ours.mean is None or other.mean is None else other.mean - ours.mean,
            }
        )
    return rows


def events(session: Session, name: str, after: int = 0) -> list[Row]:
    """What happened to a job, the oldest first."""
    return [
        {"at": event.at, "kind": event.kind, "message": event.message}
        for event in queries.events(session, name, after=after)
    ]


def shown(value: Value) -> float | str:
    """What an arm tries, as answers and weight files show it: a number, or the text ``cur/suc/pre`` of a triple."""
    return str(value) if isinstance(value, Triple) else value


def standing(job: JobRow) -> str:
    """A job's state; ``abandoned`` where it should run and its controller has gone."""
    return "abandoned" if job.state in ("running", "stopping") and not job.live else job.state


def suc_reading(job: JobRow) -> str:
    """How the job's α_suc is read, in one line."""
    return f"suc {READINGS[job.spec['tracer']['successor']]}"


def remarks(job: JobRow) -> list[str]:
    """What is to be said below a table of the job's weights or arms, a line each."""
    lines = [suc_reading(job)]
    if job.baseline:
        figures = f"mean {job.baseline['mean']:.3f}, mean IOU {job.baseline['mean_iou']:.3f}"
        lines.append(f"a box around the whole image, on the {job.images} images sampled: {figures}")
    if job.quarantined:
        lines.append(f"{job.quarantined} images failed and were left out for every arm: see `tuner logs {job.name}`")
    return lines


def _arm(arm: ArmRow, baseline: NDArray[np.int64] | None) -> Row:
    low, high = interval(arm.successes, arm.pulls)
    seen = 0 if baseline is None else min(arm.pulls, len(baseline) - 1)
    return {
        "round": arm.round,
        "weight": arm.weight,
        "value": shown(arm.value),
        "pulls": arm.pulls,
        "successes": arm.successes,
        "mean": arm.mean,
        "low": low,
        "high": high,
        "baseline": int(baseline[seen]) / seen if baseline is not None and seen else None,
        "mean_iou": arm.mean_iou,
        "may_be_best": arm.may_be_best,
    }
