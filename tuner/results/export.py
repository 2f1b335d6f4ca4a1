"""What a job learned, as the weight file that the tracer takes."""

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, JobRow, Triple, WeightRow
from tracer import Alpha, TraceConfig, Weights
from tuner.errors import JobError
from tuner.policies.intervals import interval
from tuner.results import tables as answers


def export(session: Session, output: Path, *, name: str | None = None, architecture: str | None = None) -> None:
    """Write the weight file of a job.

    Args:
        session: Of ``Database.reading``.
        output: The file; replaced whole, or left as it was.
        name: The job's, or:
        architecture: That of the newest finished job to take.

    Raises:
        JobError: If the job has not come to an end, or none of that architecture has.
        TracerError: If the file cannot be written.
    """
    job = queries.job(session, name) if name is not None else _newest(session, str(architecture))
    weights(session, job).save(output)


def weights(session: Session, job: JobRow) -> Weights:
    """What a finished job learned.

    Raises:
        JobError: If it has not come to an end.
    """
    if job.state != "finished":
        raise JobError(
            f"job {job.name!r} is {answers.standing(job)} and has learned nothing final yet; "
            f"go on with `tuner resume {job.name}`"
        )
    rows = queries.weights(session, job.name)
    last = [row for row in rows if row.round == rows[-1].round]
    arms = queries.arms(session, job.name, round=rows[-1].round)
    evidence: dict[str, Any] = {
        row.weight: _evidence(row, [arm for arm in arms if arm.weight_id == row.id]) for row in last
    }
    return Weights(
        architecture=job.spec["architecture"],
        alpha=_alpha(last),
        layers={},
        tracer=TraceConfig(**job.spec["tracer"]),
        evidence=evidence,
        provenance={
            "job": job.name,
            "seed": job.seed,
            "policy": job.spec["policy"],
            "reward": job.spec["reward"],
            "checkpoint_sha256": job.checkpoint_sha256,
            "dataset_sha256": job.dataset_sha256,
            "images": job.images - job.quarantined,
            "whole_image": {key: job.baseline[key] for key in ("mean", "mean_iou") if key in job.baseline},
            "versions": dict(job.versions),
            "created": job.ended.isoformat(timespec="seconds") if job.ended else None,
        },
    )


def _alpha(weights: list[WeightRow]) -> Alpha:
    """The weights that the winners of a round amount to."""
    alpha: dict[str, float] = {}
    for weight in weights:
        if isinstance(weight.winner, Triple):
            alpha |= weight.winner._asdict()
        elif weight.winner is not None:
            alpha[weight.weight] = weight.winner
    return Alpha(**alpha)


def _evidence(weight: WeightRow, arms: list[ArmRow]) -> dict[str, Any]:
    """What is known of a weight's winner, and how sure it is."""
    winner = next(arm for arm in arms if arm.value == weight.winner)
    low, high = interval(winner.successes, winner.pulls)
    return {
        "outcome": weight.outcome,
        "pulls": winner.pulls,
        "successes": winner.successes,
        "mean": winner.mean,
        "interval": [low, high],
        "mean_iou": winner.mean_iou,
        "may_be_best": [answers.shown(value) for value in weight.may_be_best],
        "confidence": weight.confidence,
    }


def _newest(session: Session, architecture: str) -> JobRow:
    finished = queries.jobs(session, state="finished")
    for job in finished:
        if job.spec["architecture"] == architecture:
            return job
    known = sorted({job.spec["architecture"] for job in finished})
    there_are = f"there are jobs of {', '.join(known)}" if known else "no job is finished yet"
    raise JobError(f"no finished job of architecture {architecture!r}; {there_are}")
