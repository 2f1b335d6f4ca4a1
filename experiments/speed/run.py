"""The benchmark: its sections, run in one process on one thread."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from experiments.speed.measure import Figure
from experiments.speed.network import Bench, arm_figures, joint_figures, trace_figures

Section = Callable[[Bench, Sequence[str]], list[Figure]]


def _arms(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    return arm_figures(bench, architectures, section="arms", images=1, goal=1.6, small=2.5)


def _joint(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    return joint_figures(bench, architectures, goal=4)


def _rewards(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    from experiments.speed.rewards import reward_figures

    return reward_figures(bench, architectures)


def _gpu(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    if not torch.cuda.is_available():
        return []
    return arm_figures(replace(bench, device="cuda"), architectures, section="gpu", images=64, goal=5, small=5)


def _cold(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.start import cold_figures

    return cold_figures(bench)


def _job(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.start import job_figures

    return job_figures(bench)


def _many(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.start import many_figures

    return many_figures(bench)


def _memory(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.memory import memory_figures

    return memory_figures(bench, "resnet50", 8)


def _decisions(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.service import decision_figures

    return decision_figures(bench.runs, bench.seed)


def _pulls(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.service import pull_figures

    return pull_figures(bench.runs, bench.seed)


def _controller(_: Bench, __: Sequence[str]) -> list[Figure]:
    from experiments.speed.simulation import controller_figures

    return controller_figures()


def _ray(bench: Bench, _: Sequence[str]) -> list[Figure]:
    from experiments.speed.scaling import ray_figures

    return ray_figures(bench, "resnet18")


SECTIONS: dict[str, Section] = {
    "trace": trace_figures,
    "arms": _arms,
    "joint": _joint,
    "rewards": _rewards,
    "cold": _cold,
    "job": _job,
    "many": _many,
    "memory": _memory,
    "decisions": _decisions,
    "pulls": _pulls,
    "controller": _controller,
    "ray": _ray,
    "gpu": _gpu,
}
"""What ``--only`` chooses from."""


def measure(
    sections: Iterable[str],
    architectures: Sequence[str],
    *,
    checkpoints: Path | None,
    images: Path | None,
    runs: int,
    seed: int,
    methods: frozenset[str] | None = None,
) -> list[Figure]:
    """The figures of some sections, in order. Torch computes on one thread from here on."""
    torch.set_num_threads(1)
    bench = Bench(checkpoints, images, runs, seed, methods)
    return [figure for section in sections for figure in SECTIONS[section](bench, architectures)]
