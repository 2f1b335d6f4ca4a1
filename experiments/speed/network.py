"""Tracing beside the forward pass and beside other attribution methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from experiments.errors import SettingError
from experiments.methods import METHODS, Attribution, Subject
from experiments.speed.measure import Figure, paired_ratios, processor_seconds, seconds
from tracer import Alpha, Model, Settings, TraceConfig, Tracer
from tracer.config import Cut
from tracer.reading import read_boxes

STEPS = tuple(tenth / 10 for tenth in range(11))
ARMS = (
    *(Alpha(cur=value) for value in STEPS),
    *(Alpha(suc=value) for value in STEPS),
    *(Alpha(pre=value) for value in STEPS),
)
"""The arms of a job on the defaults: eleven values of each weight, the other two at 1."""


@dataclass(frozen=True)
class Reading:
    """One of the tracer's own rows.

    Args:
        config: How to trace.
        goal: What to reach, in forward passes beyond the forward pass; ``None`` for no goal.
        small: The same for networks of small layers (:data:`SMALL`).
    """

    config: TraceConfig
    goal: float | None
    small: float | None


SMALL = ("mobilenet", "efficientnet", "shufflenet", "mnasnet", "densenet")
"""Families of layers so small that calling them takes as long as computing them; they have goals of their own."""

READINGS = {
    "tracer, the paper's walk": Reading(TraceConfig.paper(), 0.2, 0.5),
    "tracer, defaults": Reading(TraceConfig(), 0.3, 0.5),
    "tracer, excitation backpropagation": Reading(TraceConfig.excitation_backprop(), 2.0, None),
    "tracer, read at the last stride 32": Reading(TraceConfig(depth="last 32"), 0.1, 0.1),
    "tracer, read at stride 16": Reading(TraceConfig(depth=16), 0.1, 0.1),
}

_CUTS: tuple[Cut, ...] = (
    *(step / 20 for step in range(1, 14)),
    *(f"mass {step / 20:g}" for step in range(7, 19)),
)
JOINT = tuple(
    Settings(Alpha(), replace(walk, depth=depth, spread=spread, cut=cut, box="patch"))
    for walk in (TraceConfig(), TraceConfig(location="center"))
    for depth in (32, "last 16", 16, "last 8")
    for spread in (4.0, 8.0, 12.0, 16.0, 24.0)
    for cut in _CUTS
)
"""1,000 arms of a joint search: 2 walks x 4 depths x 5 spreads x 25 cuts."""


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
        from tracer.images import read_image

        if self.images:
            files = self.files()
            chosen = [files[place % len(files)] for place in range(self.runs * size)]
            every = torch.stack([model.preprocess(read_image(path)) for path in chosen])
        else:
            generator = torch.Generator().manual_seed(self.seed)
            shape = (self.runs * size, 3, model.preprocessing.height, model.preprocessing.width)
            every = torch.randn(shape, generator=generator)
        return list(torch.split(every.to(self.device), size))

    def files(self) -> list[Path]:
        """The images of the folder.

        Raises:
            SettingError: If there are none.
        """
        assert self.images is not None
        files = sorted(path for path in self.images.rglob("*") if path.suffix.lower() in {".jpeg", ".jpg", ".png"})
        if not files:
            raise SettingError(f"no image under {self.images}: name a folder with .JPEG or .png files")
        return files

    @property
    def device_name(self) -> str:
        """The device as a reader knows it."""
        return "one thread" if self.device == "cpu" else torch.cuda.get_device_name()

    def seconds(self, call: Callable[[], object]) -> float:
        """How long a call takes: in processor time on one thread, by the clock on a device that works on its own."""
        return processor_seconds(call) if self.device == "cpu" else seconds(call, torch.cuda.synchronize)


def is_small(architecture: str) -> bool:
    """Whether the goals for networks of small layers hold."""
    return architecture.startswith(SMALL)


def trace_figures(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    """What one explanation costs beyond the forward pass it contains, in forward passes; every method in turn."""
    figures = []
    for name in architectures:
        model, title = bench.model(name)
        subject, batches = Subject(model, TraceConfig(), Alpha()), bench.batches(model, 1)
        calls: dict[str, Callable[[_Run], object]] = {
            who: partial(_trace, subject.tracer, [Settings(config=reading.config)]) for who, reading in READINGS.items()
        }
        for method in METHODS.values():
            if method.library != "tracer" and (bench.methods is None or method.name in bench.methods):
                calls[f"{method.library}, {method.name}"] = partial(_attribute, method.prepare(subject))
        inputs = [_Run(batch, predict(model, batch)) for batch in batches]
        ratios = paired_ratios(partial(_forward, model), calls, inputs, bench.seconds)
        for who, found in ratios.items():
            goal = _goal(READINGS[who], name) if who in READINGS else None
            beyond = [ratio - 1 for ratio in found]
            figures.append(Figure.of("trace", f"beyond forward, {title}", who, beyond, "forwards", at_most=goal))
    return figures


def arm_figures(
    bench: Bench, architectures: Sequence[str], *, section: str, images: int, goal: float, small: float
) -> list[Figure]:
    """What all arms of a job on a batch cost, with their forward pass, in forward passes of that batch."""
    figures = []
    for name in architectures:
        model, title = bench.model(name)
        calls = {"all": partial(Tracer(model, TraceConfig.paper()).trace, alphas=ARMS)}
        ratios = paired_ratios(partial(predict, model), calls, bench.batches(model, images), bench.seconds)
        what = f"{images} x {len(ARMS)} arms with forward, {title}, {bench.device_name}"
        most = small if is_small(name) else goal
        figures.append(Figure.of(section, what, "tracer", ratios["all"], "forwards", at_most=most))
    return figures


def joint_figures(bench: Bench, architectures: Sequence[str], *, goal: float) -> list[Figure]:
    """What the boxes of all arms of a joint search on one image cost, with its forward pass, in forward passes."""
    figures = []
    for name in architectures:
        model, title = bench.model(name)
        calls = {"all": partial(_read, Tracer(model))}
        ratios = paired_ratios(partial(predict, model), calls, bench.batches(model, 1), bench.seconds)
        what = f"{len(JOINT)} joint arms with forward, {title}, {bench.device_name}"
        figures.append(Figure.of("joint", what, "tracer", ratios["all"], "forwards", at_most=goal))
    return figures


def _goal(reading: Reading, architecture: str) -> float | None:
    return reading.small if is_small(architecture) else reading.goal


@dataclass(frozen=True)
class _Run:
    """A batch with the classes to explain."""

    batch: Tensor
    targets: Tensor


def _forward(model: Model, run: _Run) -> object:
    return predict(model, run.batch)


def _trace(tracer: Tracer, alphas: Sequence[Settings], run: _Run) -> object:
    return tracer.trace(run.batch, alphas)


def _read(tracer: Tracer, batch: Tensor) -> object:
    (traces,) = tracer.traces(batch, JOINT)
    return read_boxes(traces, [arm.config for arm in JOINT], (500, 375))


def _attribute(attribution: Attribution, run: _Run) -> object:
    return attribution(run.batch, run.targets)


def predict(model: Model, batch: Tensor) -> Tensor:
    """The predicted classes of a batch: the plain forward pass that times are compared with."""
    with torch.no_grad():
        scores: Tensor = model.module(batch)
        return scores.argmax(1)
