"""Tracing beside the forward pass and beside other attribution methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from experiments.errors import SettingError
from experiments.methods import METHODS, Subject
from experiments.speed.measure import Figure, paired_ratios
from tracer import Alpha, Model, TraceConfig, Tracer

STEPS = tuple(tenth / 10 for tenth in range(11))
ARMS = (
    *(Alpha(cur=value) for value in STEPS),
    *(Alpha(suc=value) for value in STEPS),
    *(Alpha(pre=value) for value in STEPS),
)
"""The arms of a job on the defaults: eleven values of each weight, the other two at 1."""


@dataclass(frozen=True)
class Bench:
    """What the benchmark runs on.

    Args:
        checkpoints: Folder with NAME.pth by architecture; a network without one there gets seeded random weights.
        images: Folder with images; ``None`` for seeded noise.
        runs: Pairs per figure.
        seed: Of random weights and noise.
        device: Where the networks run.
    """

    checkpoints: Path | None
    images: Path | None
    runs: int
    seed: int
    device: str = "cpu"

    def model(self, name: str) -> tuple[Model, str]:
        """A torchvision network, and how to call it: its name, and whether its weights are random."""
        from torchvision.models import get_model

        from tracer import load_model

        file = self.checkpoints / f"{name}.pth" if self.checkpoints else None
        if file and file.is_file():
            return load_model(name, file, device=self.device), name
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            module = get_model(name, weights=None).eval().to(self.device)
        return Model.of(module, name), f"{name}, random weights"

    def batch(self, model: Model, size: int) -> Tensor:
        """The first images of the folder as the network takes them, shape (size, 3, h, w)."""
        from PIL import Image

        if self.images:
            files = sorted(path for path in self.images.rglob("*") if path.suffix.lower() in {".jpeg", ".jpg", ".png"})
            if files:
                chosen = [files[place % len(files)] for place in range(size)]
                return torch.stack([model.preprocess(Image.open(path)) for path in chosen]).to(self.device)
            raise SettingError(f"no image under {self.images}: name a folder with .JPEG or .png files")
        generator = torch.Generator().manual_seed(self.seed)
        shape = (size, 3, model.preprocessing.height, model.preprocessing.width)
        return torch.randn(shape, generator=generator).to(self.device)

    @property
    def device_name(self) -> str:
        """The device as a reader knows it."""
        return "one thread" if self.device == "cpu" else torch.cuda.get_device_name()

    def synchronise(self) -> None:
        """Wait for the device."""
        if self.device != "cpu":
            torch.cuda.synchronize()


def trace_figures(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    """What one explanation costs beyond the forward pass it contains, in forward passes; every method in turn."""
    figures = []
    for name in architectures:
        model, title = bench.model(name)
        subject, batch = Subject(model, TraceConfig(), Alpha()), bench.batch(model, 1)
        targets = _predict(model, batch)
        calls: dict[str, Callable[[], object]] = {"tracer": partial(subject.tracer.trace, batch, [subject.alpha])}
        for method in METHODS.values():
            if method.name != "tracer":
                calls[f"{method.library}, {method.name}"] = partial(method.prepare(subject), batch, targets)
        ratios = paired_ratios(partial(_predict, model, batch), calls, bench.runs, bench.synchronise)
        for who, found in ratios.items():
            goal = 0.5 if who == "tracer" else None
            beyond = [ratio - 1 for ratio in found]
            figures.append(Figure.of("trace", f"beyond forward, {title}", who, beyond, "forwards", at_most=goal))
    return figures


def arm_figures(bench: Bench, architectures: Sequence[str], *, section: str, images: int, goal: float) -> list[Figure]:
    """What all arms of a job on a batch cost, with their forward pass, in forward passes of that batch."""
    figures = []
    for name in architectures:
        model, title = bench.model(name)
        tracer, batch = Tracer(model), bench.batch(model, images)
        call = {"all": partial(tracer.trace, batch, ARMS)}
        ratios = paired_ratios(partial(_predict, model, batch), call, bench.runs, bench.synchronise)
        what = f"{images} x {len(ARMS)} arms with forward, {title}, {bench.device_name}"
        figures.append(Figure.of(section, what, "tracer", ratios["all"], "forwards", at_most=goal))
    return figures


def _predict(model: Model, batch: Tensor) -> Tensor:
    with torch.no_grad():
        scores: Tensor = model.module(batch)
        return scores.argmax(1)
