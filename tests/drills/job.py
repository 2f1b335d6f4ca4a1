"""A job of fake scores as a process of its own, to be ill-treated: ``python -m tests.drills.job STORAGE NAME FOLDER``.

Creates the job, or goes on with it. Workers are Ray actors that sleep a little at every image; each leaves a file named
by its process in FOLDER.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.engine import Database
from storage.errors import StorageError
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import Settings
from tuner.cli.running import Wish
from tuner.datasets import Dataset
from tuner.errors import JobError, TunerError
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.spec.job import JobSpec
from tuner.workers.actors import RayPool, start_ray
from tuner.workers.identity import Identity
from tuner.workers.pool import Answer, Pool, SerialPool, Task, attempt

BROKEN = (3, 17, 39)
SECONDS = 0.04


class SlowScorer(FakeScorer):
    """Takes a little while, another one for each image, so that answers overtake one another."""

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        time.sleep(SECONDS * (1 + image % 4))
        return super().score(image, settings)


class SlowWorker:
    """A worker with the fake scorer."""

    def __init__(self, spec: JobSpec, dataset: Dataset, folder: Path) -> None:
        self._scorer = SlowScorer(BROKEN)
        (folder / str(os.getpid())).touch()

    def ready(self) -> bool:
        return True

    def score(self, task: Task) -> Answer:
        return attempt(self._scorer, task)


def main(storage: str, name: str, folder: str, kind: str = "ray") -> None:
    """Create the job or go on with it; ``kind`` is where it scores: on ``ray``, or in this process (``serial``)."""
    plan = make_plan(make_spec(name=name), make_dataset(50))

    class Worker(SlowWorker):
        def __init__(self, spec: JobSpec, dataset: Dataset, identity: Identity | None) -> None:
            super().__init__(spec, dataset, Path(folder))

    def make_pool() -> Pool:
        if kind == "serial":
            return SerialPool(SlowScorer(BROKEN))
        start_ray(plan.spec)
        return RayPool(plan.spec, plan.dataset, Worker)

    wish = Wish()
    with Database.open(storage, create=True) as database, wish.take_signals():
        try:
            create(database, plan)
        except JobError:
            sys.stdout.write("it is there: goes on\n")
        sys.stdout.write(f"{play(database, plan, make_pool, stop=wish)}\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (StorageError, TunerError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
