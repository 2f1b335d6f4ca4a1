"""Tracing beside the forward pass and beside other attribution methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from experiments.errors import SettingError
from experiments.methods import METHODS, Attribution, Subject
from experiments.speed.measure import Figure, paired_ratios
from tracer import Alpha, Model, Settings, TraceConfig, Tracer

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
        methods: Attribution methods to time beside the tracer; ``None`` for all.
        device: Where the networks run.
    """

    checkpoints: Path | None
    images: Path | None
    runs: int
    seed: int
    methods: frozenset[str] | None = None
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

    def batches(self, model: Model, size: int) -> list[Tensor]:
        """A batch for each run, of the folder's images in turn as the network takes them, each (size, 3, h, w)."""
        from PIL import Image

        if self.images:
            files = sorted(path for path in self.images.rglob("*") if path.suffix.lower() in {".jpeg", ".jpg", ".png"})
            if not files:
                raise SettingError(f"no image under {self.images}: name a folder with .JPEG or .png files")
            chosen = [files[place % len(files)] for place in range(self.runs * size)]
            every = torch.stack([model.preprocess(Image.open(path)) for path in chosen])
        else:
            generator = torch.Generator().manual_seed(self.seed)
            shape = (self.runs * size, 3, model.preprocessing.height, model.preprocessing.width)
            every = torch.randn(shape, generator=generator)
        return list(torch.split(every.to(self.device), size))

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
        subject, batches = Subject(model, TraceConfig(), Alpha()), bench.batches(model, 1)
        calls: dict[str, Callable[[_Run], object]] = {
            "tracer": partial(_trace, subject.tracer, [subject.tracer.settings])
        }
        for method in METHODS.values():
            if method.name != "tracer" and (bench.methods is None or method.name in bench.methods):
                calls[f"{method.library}, {method.name}"] = partial(_attribute, method.prepare(subject))
        inputs = [_Run(batch, _predict(model, batch)) for batch in batches]
        ratios = paired_ratios(partial(_forward, model), calls, inputs, bench.synchronise)
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
        calls = {"all": partial(Tracer(model).trace, alphas=ARMS)}
        ratios = paired_ratios(partial(_predict, model), calls, bench.batches(model, images), bench.synchronise)
        what = f"{images} x {len(ARMS)} arms with forward, {title}, {bench.device_name}"
        figures.append(Figure.of(section, what, "tracer", ratios["all"], "forwards", at_most=goal))
    return figures


@dataclass(frozen=True)
class _Run:
    """A batch with the classes to explain."""

    batch: Tensor
    targets: Tensor


def _forward(model: Model, run: _Run) -> object:
    return _predict(model, run.batch)


def _trace(tracer: Tracer, alphas: Sequence[Settings], run: _Run) -> object:
    return tracer.trace(run.batch, alphas)


def _attribute(attribution: Attribution, run: _Run) -> object:
    return attribution(run.batch, run.targets)


def _predict(model: Model, batch: Tensor) -> Tensor:
    with torch.no_grad():
        scores: Tensor = model.module(batch)
        return scores.argmax(1)
