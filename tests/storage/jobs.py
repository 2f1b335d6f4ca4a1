"""Small jobs for the tests of the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage import leases, queries
from storage.creation import NewBandit, NewJob, create_job
from storage.engine import Database
from storage.leases import Lease
from storage.models import Subject
from storage.records import NewCheck, NewPull, NewScore
from storage.rows import ArmRow, ImageRow

VALUES = (0.0, 0.5, 1.0)
WEIGHTS = ("cur", "suc", "pre")
THRESHOLD = 0.5


def new_job(name: str = "job", *, images: int = 4, values: Sequence[float] = VALUES, **changes: Any) -> NewJob:
    """A job on made-up images with the same candidates for each of the three weights of Eq. 1."""
    fields: dict[str, Any] = {
        "name": name,
        "spec": {"policy": {"kind": "ucb1", "budget": 30}, "seed": 7},
        "seed": 7,
        "threshold": THRESHOLD,
        "images": [f"image-{i}" for i in range(images)],
        "bandits": [
            NewBandit(setting, {name: 1.0 for name in WEIGHTS if name != setting}, values) for setting in WEIGHTS
        ],
        "dataset_sha256": "d" * 64,
        "checkpoint_sha256": None,
        "versions": {"python": "3.11"},
        "baseline": {"mean": 0.45, "mean_value": 0.41},
    }
    return NewJob(**fields | changes)


@dataclass
class Running:
    """A job whose lease a test holds, with what it needs to write to it."""

    database: Database
    lease: Lease
    arms: list[ArmRow]
    images: list[ImageRow]

    def score(self, arm: int, image: int, iou: float) -> NewScore:
        """The score of the job's arm (by its position) on an image (by its rank)."""
        return NewScore(self.arms[arm].id, self.images[image].id, iou)

    def check(self, image: int, base: float, learned: float, whole_image: float) -> list[NewCheck]:
        """What the check came to on an image (by its rank)."""
        ious: dict[Subject, float] = {"base": base, "learned": learned, "whole_image": whole_image}
        return [NewCheck(self.images[image].id, subject, iou) for subject, iou in ious.items()]

    def pull(self, t: int, arm: int, image: int, iou: float) -> NewPull:
        """The t-th pull of that arm's bandit."""
        return NewPull(self.arms[arm].bandit_id, t, self.arms[arm].id, self.images[image].id, iou, iou >= THRESHOLD)


def run(database: Database, job: NewJob | None = None, *, seconds: float = 30.0) -> Running:
    """Create a job and take its lease."""
    job = job or new_job()
    with database.writing() as session:
        create_job(session, job)
    with database.writing() as session:
        lease = leases.acquire(session, job.name, "host:1", seconds=seconds)
    with database.reading() as session:
        return Running(database, lease, queries.arms(session, job.name), queries.images(session, job.name))
