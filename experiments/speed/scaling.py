"""What Ray costs: images a second with one worker and with two."""

import logging
import time

from experiments.speed.measure import Figure
from experiments.speed.network import ARMS, Bench
from tracer import Settings
from tuner.datasets import Dataset, load_dataset
from tuner.spec.job import JobSpec
from tuner.workers.actors import RayPool
from tuner.workers.pool import Scored, Task

TASKS = 16
"""Images scored per worker and run."""


def ray_figures(bench: Bench, architecture: str) -> list[Figure]:
    """Images a second of two workers over twice those of one, in runs that take turns; every image with all arms.

    Each worker computes on one thread, so two need two idle cores.

    Raises:
        RuntimeError: If an image cannot be scored.
    """
    import ray

    spec = _job(bench, architecture)
    dataset = load_dataset(spec.dataset)
    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        one, two = (RayPool(_job(bench, architecture, workers), dataset) for workers in (1, 2))
        for pool in (one, two):
            _images_a_second(pool, dataset, TASKS)
        efficiencies = []
        for _ in range(bench.runs):
            single = _images_a_second(one, dataset, TASKS)
            efficiencies.append(_images_a_second(two, dataset, 2 * TASKS) / (2 * single))
    finally:
        ray.shutdown()
    what = f"efficiency from 1 to 2 workers, {architecture}, {len(ARMS)} arms an image"
    return [Figure.of("ray", what, "tuner on Ray", efficiencies, "of ideal", at_least=0.9)]


def _images_a_second(pool: RayPool, dataset: Dataset, tasks: int) -> float:
    settings = tuple(Settings(alpha) for alpha in dict.fromkeys(ARMS))
    start, left = time.perf_counter(), tasks
    for position in range(tasks):
        pool.submit(Task(position, position % len(dataset), settings))
    while left:
        for answer in pool.collect(1.0):
            if not isinstance(answer, Scored):
                raise RuntimeError(f"image {answer.task.image} was not scored: {answer.reason}")
            left -= 1
    return tasks / (time.perf_counter() - start)


def _job(bench: Bench, architecture: str, workers: int = 1) -> JobSpec:
    """A job of default arms; without a checkpoint the network has random weights, without images it sees digits."""
    file = bench.checkpoints / f"{architecture}.pth" if bench.checkpoints else None
    images = {"kind": "imagenet", "root": str(bench.images)} if bench.images else {"kind": "digits", "images": 64}
    return JobSpec.model_validate(
        {
            "name": "speed",
            "architecture": architecture if file and file.is_file() else f"torchvision.models:{architecture}",
            "checkpoint": str(file) if file and file.is_file() else None,
            "dataset": images,
            "workers": {"count": workers, "cpus": 1},
        }
    )
