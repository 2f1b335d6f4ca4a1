"""Where the controller becomes the limit: a real one, a real database, and workers that only wait."""

import heapq
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.speed.measure import Figure
from storage.engine import Database
from tuner.datasets import ImageList, LabelledImage
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.spec.job import JobSpec
from tuner.workers.pool import Answer, Scored, Task

WORKERS = (1, 4, 16, 64, 256)


class WaitingPool:
    """Workers that each take the same time for an image and compute nothing.

    Args:
        workers: How many.
        delay: Seconds an image takes each.
        seed: Of the scores they give.
    """

    def __init__(self, workers: int, delay: float, seed: int = 0) -> None:
        self.workers = workers
        self._delay = delay
        self._scores = np.random.default_rng(seed)
        self._free = [0.0] * workers  # a heap: when each worker is free again
        self._done: list[tuple[float, int, Task]] = []  # a heap: when each answer is there
        self._submitted = 0

    def submit(self, task: Task) -> None:
        """Give the task to the worker that is free first."""
        end = max(time.monotonic(), heapq.heappop(self._free)) + self._delay
        heapq.heappush(self._free, end)
        heapq.heappush(self._done, (end, self._submitted, task))
        self._submitted += 1

    def collect(self, timeout: float) -> list[Answer]:
        """The answers that are there by now; waits for the first."""
        if self._done:
            time.sleep(min(timeout, max(0.0, self._done[0][0] - time.monotonic())))
        answers: list[Answer] = []
        now = time.monotonic()
        while self._done and self._done[0][0] <= now:
            task = heapq.heappop(self._done)[2]
            answers.append(Scored(task, self._scores.random(len(task.settings))))
        return answers

    def close(self) -> None:
        """Drop what is not done."""
        self._done.clear()


@dataclass(frozen=True)
class Throughput:
    """What a controller kept up with.

    Args:
        workers: Workers that wait.
        ideal: Images a second that they could do.
        images: Images a second whose scores were committed.
        pulls: Pulls a second that were committed.
        cpu: Images for each second of the controller's processor time: what it could keep up with on an idle machine.
    """

    workers: int
    ideal: float
    images: float
    pulls: float
    cpu: float


def controller_figures(storage: str | None = None) -> list[Figure]:
    """Images a second that one controller commits from 1 to 256 workers of 0.1 s an image, and what its CPU allows.

    Args:
        storage: Database, as a URL; a new SQLite file unless given.
    """
    figures = []
    for workers in WORKERS:
        run = throughput(workers, delay=0.1, seconds=3.0, storage=storage)
        what = f"committed by one controller, {workers} workers of 0.1 s an image (33 pulls each)"
        for who, value in (("workers", run.ideal), ("tuner", run.images), ("tuner, a CPU second", run.cpu)):
            figures.append(Figure.of("controller", what, who, [value], "images/s"))
    return figures


def throughput(workers: int, *, delay: float, seconds: float, storage: str | None = None) -> Throughput:
    """Run a job of full tables (each image scored and pulled for all 33 arms) long enough to take some seconds.

    Args:
        workers: Workers that wait.
        delay: Seconds an image takes each of them.
        seconds: About how long the job should take if the controller keeps up.
        storage: Database, as a URL; a new SQLite file unless given.
    """
    images = max(50, int(seconds * workers / delay))
    name = f"simulation-{workers}-{time.time_ns()}"
    spec = JobSpec.model_validate(
        {
            "name": name,
            "architecture": "none",
            "dataset": {"kind": "digits", "images": images},
            "policy": {"kind": "uniform", "budget": 11 * images},
        }
    )
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    blanks = (LabelledImage(str(number), None, box, 2, 2, _blank) for number in range(images))
    plan = make_plan(spec, ImageList(tuple(blanks)))
    with (
        tempfile.TemporaryDirectory() as folder,
        Database.open(storage or f"sqlite:///{Path(folder)}/tuner.db", create=True) as database,
    ):
        create(database, plan)
        start, cpu = time.perf_counter(), time.process_time()
        play(database, plan, lambda: WaitingPool(workers, delay))
        wall, used = time.perf_counter() - start, time.process_time() - cpu
    return Throughput(workers, workers / delay, images / wall, 33 * images / wall, images / used)


def _blank() -> Image.Image:
    return Image.new("RGB", (2, 2))
