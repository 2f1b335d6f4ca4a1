"""The tracer as an attribution method: as the command line sets it, at its base, and as CNN-Fixations."""

from dataclasses import replace

import torch
from torch import Tensor

from experiments.errors import MethodError
from experiments.methods import Attribution, Subject
from tracer import Alpha, TraceConfig
from tracer.errors import TracerError


def traces(subject: Subject) -> Attribution:
    """The points of a trace, each with its share of the class's evidence (they sum to 1 on a map)."""

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        try:
            found = subject.tracer.traces(batch, [subject.alpha], targets.tolist())
        except TracerError as error:
            raise MethodError(str(error)) from error
        maps = torch.zeros(len(batch), *batch.shape[2:])
        for image, (trace,) in zip(maps, found, strict=True):
            rows, columns = torch.from_numpy(trace.points).T
            image.index_put_((rows, columns), torch.from_numpy(trace.shares).float(), accumulate=True)
        return maps.to(batch.device)

    return attribute


def base(subject: Subject) -> Attribution:
    """A trace by the defaults, whatever the command line says."""
    return traces(replace(subject, config=TraceConfig(), alpha=Alpha()))


def cnn_fixations(subject: Subject) -> Attribution:
    """A trace as CNN-Fixations does it (Mopuri et al. 2018), on the whole image."""
    return traces(replace(subject, config=TraceConfig.cnn_fixations(), alpha=Alpha(cur=1, suc=0, pre=0)))
