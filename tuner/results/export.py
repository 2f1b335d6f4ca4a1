"""What a job learned, as the weight file that the tracer takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, BanditRow, JobRow
from tracer import Weights
from tracer.errors import nearest
from tuner.errors import JobError
from tuner.results import tables
from tuner.results.check import summarize_check
from tuner.results.endings import nothing_succeeded
from tuner.results.evidence import arm_evidence, claim, tuned_names
from tuner.results.learned import learned_settings
from tuner.spec.job import TRACER
from tuner.spec.reward import stored_reward


@dataclass(frozen=True)
class Exported:
    """What a weight file was made of.

    Args:
        job: The job's name.
        others: Names of the other finished jobs of its architecture, the newest first.
        warning: Why the weights are not worth much; ``None`` where nothing is known against them.
    """

    job: str
    others: tuple[str, ...]
    warning: str | None


def export(session: Session, output: Path, *, name: str | None = None, architecture: str | None = None) -> Exported:
    """Write the weight file of a job; returns what it was made of.

    Args:
        session: Of ``Database.reading``.
        output: The file; replaced whole, or left as it was.
        name: The job's, or:
        architecture: That of the newest finished job to take.

    Raises:
        JobError: If the job has not come to an end, or none of that architecture has.
        TracerError: If the file cannot be written.
    """
    job = queries.job(session, name) if name is not None else newest(session, str(architecture))
    weights(session, job).save(output)
    others = [
        other.name
        for other in queries.jobs(session, state="finished")
        if other.spec["architecture"] == job.spec["architecture"] and other.name != job.name
    ]
    return Exported(job.name, tuple(others), nothing_succeeded(job, queries.bandits(session, job.name)))


def weights(session: Session, job: JobRow) -> Weights:
    """What a finished job learned.

    Raises:
        JobError: If it has not come to an end, or tuned another explainer than the tracer.
    """
    if job.state != "finished":
        raise JobError(
            f"job {job.name!r} is {tables.standing(job)} and has learned nothing final yet; "
            f"go on with `tuner resume {job.name}`"
        )
    if job.spec.get("explainer", TRACER) != TRACER:
        raise JobError(
            f"job {job.name!r} tuned {job.spec['explainer']}, which no weight file of the tracer describes; "
            f"see what it learned by `tuner status {job.name} -f json`"
        )
    rows = queries.bandits(session, job.name)
    last = [row for row in rows if row.round == rows[-1].round]
    arms = queries.arms(session, job.name, round=rows[-1].round)
    learned = learned_settings(job, last)
    images, value_name = tuned_names(session, job), stored_reward(job.spec).name
    evidence: dict[str, Any] = {
        row.setting: _evidence(row, [arm for arm in arms if arm.bandit_id == row.id], len(images), value_name)
        for row in last
    }
    return Weights(
        architecture=job.spec["architecture"],
        alpha=learned.alpha,
        layers={},
        tracer=learned.config,
        check=summarize_check(session, job),
        evidence=evidence,
        provenance={
            "job": job.name,
            "seed": job.seed,
            "policy": job.spec["policy"],
            "reward": job.spec["reward"],
            "checkpoint_sha256": job.checkpoint_sha256,
            "parameters_sha256": job.parameters_sha256,
            "code_sha256": job.code_sha256,
            "dataset_sha256": job.dataset_sha256,
            "pixels_sha256": job.pixels_sha256,
            "images": len(images),
            "tuned_on": sorted(images),
            "whole_image": {key: value for key, value in job.baseline.items() if key != "successes"},
            "versions": dict(job.versions),
            "created": job.ended.isoformat(timespec="seconds") if job.ended else None,
        },
    )


def _evidence(bandit: BanditRow, arms: list[ArmRow], images: int, value_name: str) -> dict[str, Any]:
    """What is known of a bandit's winner, and how sure it is."""
    winner = next(arm for arm in arms if arm.rank == bandit.winner_rank)
    known = arm_evidence(winner, value_name)
    return {
        "outcome": bandit.outcome,
        "pulls": known["pulls"],
        "successes": known["successes"],
        "mean": known["mean"],
        "interval": [known["low"], known["high"]],
        f"mean_{value_name}": known[f"mean_{value_name}"],
        "may_be_best": list(bandit.may_be_best),
        "confidence": bandit.confidence,
        "claim": claim(bandit, arms, images),
    }


def newest(session: Session, architecture: str) -> JobRow:
    """The newest finished job of an architecture.

    Raises:
        JobError: If there is none; names the architectures that there are jobs of.
    """
    finished = queries.jobs(session, state="finished")
    for job in finished:
        if job.spec["architecture"] == architecture:
            return job
    known = sorted({job.spec["architecture"] for job in finished})
    there_are = f"there are jobs of {', '.join(known)}" if known else "no job is finished yet"
    raise JobError(f"no finished job of architecture {architecture!r}{nearest(architecture, known)}; {there_are}")
