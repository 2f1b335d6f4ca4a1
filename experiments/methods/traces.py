"""The tracer as an attribution method: as the command line sets it, by its defaults, and by two methods' presets."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from experiments.errors import MethodError
from experiments.methods import Attribution, Subject, Variants
from tracer import Alpha, Settings, Trace, TraceConfig
from tracer.errors import TracerError


def traces(subject: Subject) -> Attribution:
    """The share of the class's evidence, at the depth that the settings say, interpolated to the network's input."""
    side = subject.config.input
    if side is not None and side != subject.model.preprocessing.height:
        raise MethodError(
            f"the tracer's settings read images at {side} pixels, other methods at the network's own size"
        )

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        return _maps([trace for (trace,) in _traces(subject, batch, [subject.tracer.settings], targets)], batch)

    return attribute


def base(subject: Subject) -> Attribution:
    """A trace by the defaults, whatever the command line says."""
    return traces(replace(subject, config=TraceConfig(), alpha=Alpha()))


def learned(subject: Subject) -> Attribution:
    """A trace by the settings that were learned for the network.

    Raises:
        MethodError: If none were.
    """
    weights = subject.learned
    if weights is None:
        raise MethodError(f"no settings were learned for {subject.model.architecture}: name a weight file (--weights)")
    return traces(replace(subject, config=weights.tracer, alpha=weights))


def paper(subject: Subject) -> Attribution:
    """The paper's walk down to the pixels, every weight 1."""
    return traces(replace(subject, config=TraceConfig.paper(), alpha=Alpha()))


def cnn_fixations(subject: Subject) -> Attribution:
    """A trace as CNN-Fixations does it (Mopuri et al. 2018), on the whole image."""
    return traces(replace(subject, config=TraceConfig.cnn_fixations(), alpha=Alpha(cur=1, suc=0, pre=0)))


def excitation(subject: Subject) -> Attribution:
    """Excitation backpropagation by the tracer, read at stride 16."""
    return traces(replace(subject, config=TraceConfig.excitation_backprop(depth=16), alpha=Alpha()))


def excitation_variants(subject: Subject) -> Variants:
    """Excitation backpropagation read at the first and at the last map of each stride, from the class to the image."""

    def attribute(batch: Tensor, targets: Tensor) -> dict[str, Tensor]:
        cuts = subject.tracer.plan((batch.shape[2], batch.shape[3])).cuts
        depths: dict[str, None] = {}
        for stride in sorted({cut.stride for cut in cuts}, reverse=True):
            names = [cut.name for cut in cuts if cut.stride == stride]
            depths |= dict.fromkeys([names[-1], names[0]])
        arms = [Settings(config=TraceConfig.excitation_backprop(depth=depth)) for depth in depths]
        found = _traces(subject, batch, arms, targets)
        return {depth: _maps([row[place] for row in found], batch) for place, depth in enumerate(depths)}

    return attribute


def _traces(subject: Subject, batch: Tensor, arms: Sequence[Settings], targets: Tensor) -> list[list[Trace]]:
    try:
        return subject.tracer.traces(batch, arms, targets.tolist())
    except TracerError as error:
        raise MethodError(str(error)) from error


def _maps(traces: Sequence[Trace], batch: Tensor) -> Tensor:
    """The maps of traces, interpolated to the network's input without a blur, on the batch's device."""
    maps = [torch.from_numpy(trace.saliency(0, (batch.shape[3], batch.shape[2]))) for trace in traces]
    return torch.stack(maps).to(batch.device, torch.float32)
