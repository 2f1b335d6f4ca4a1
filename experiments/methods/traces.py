"""The tracer as an attribution method."""

import torch
from torch import Tensor

from experiments.methods import Attribution, Subject


def traces(subject: Subject) -> Attribution:
    """The points of a trace, each with its share of the class's evidence (they sum to 1 on a map)."""
    tracer = subject.tracer

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        maps = torch.zeros(len(batch), *batch.shape[2:])
        for image, (trace,) in zip(maps, tracer.traces(batch, [tracer.settings], targets.tolist()), strict=True):
            rows, columns = torch.from_numpy(trace.points).T
            image.index_put_((rows, columns), torch.from_numpy(trace.shares).float(), accumulate=True)
        return maps.to(batch.device)

    return attribute
