"""Memory that tracing takes beyond the network."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from experiments.errors import SettingError
from experiments.speed.measure import Figure
from experiments.speed.network import ARMS, Bench

GIB = 2**30


def memory_figures(bench: Bench, architecture: str, images: int) -> list[Figure]:
    """The highest resident memory of a process while it traces a batch with all arms, beyond what it held before.

    Before means: the libraries, the network and its exported graph, and a traced image behind it. A process of its own
    does it, so that nothing measured earlier leaves memory to reuse.

    Raises:
        SettingError: If the system is not Linux, which alone tells and resets a process's highest memory.
    """
    if not Path("/proc/self/clear_refs").exists():
        raise SettingError("memory: measured on Linux only; leave it out with --only")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        peak = process.submit(_peak, bench, architecture, images).result()
    what = f"{images} images x {len(ARMS)} arms, {architecture}"
    return [Figure.of("memory", what, "tracer", [peak], "GiB", at_most=2)]


def _peak(bench: Bench, architecture: str, images: int) -> float:
    import torch

    from tracer import Tracer

    torch.set_num_threads(1)
    model, _ = bench.model(architecture)
    tracer, batch = Tracer(model), replace(bench, runs=1).batches(model, images)[0]
    tracer.trace(batch[:1], ARMS[:1])
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # 5 sets the high-water mark back to what is resident now
    tracer.trace(batch, ARMS)
    return (_resident("VmHWM") - before) / GIB


def _resident(field: str) -> int:
    """A figure of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise SettingError(f"memory: this kernel does not tell {field}; leave it out with --only")
