"""Sums, means, upsamplings, maxima and insertions agree with the oracle, neuron by neuron and by whole layers.

Weights and images are small whole numbers, and averages divide by powers of two, so that ties are frequent.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d, interpolate, pad

from tests.tracer.oracle import Oracle
from tracer.config import Selection, TraceConfig
from tracer.errors import UnsupportedOperatorError
from tracer.evidence import Alpha
from tracer.settings import Settings
from tracer.trace import Tracer


def sum_of_groups(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], 2, 2, *x.shape[2:]).sum(dim=1)  # as ResNeSt and SKNet join their branches


def sum_of_stacked(x: Tensor) -> Tensor:
    return torch.stack([x, x.roll(1, 1)], dim=1).sum(dim=1)


def mean_of_channels(x: Tensor) -> Tensor:
    return x * 0.5 + x.mean(dim=1, keepdim=True).expand_as(x)


def mean_of_places(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).mean((1, 2))[:, :, None, None]  # channels last, as MambaOut


def sum_of_rows(x: Tensor) -> Tensor:
    return x.sum(dim=2, keepdim=True)


def nearest(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2)


def uneven(x: Tensor) -> Tensor:
    return interpolate(x, size=(9, 5))


def bilinear(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear")


def aligned(x: Tensor) -> Tensor:
    return interpolate(x, size=(7, 13), mode="bilinear", align_corners=True)


def shrunk(x: Tensor) -> Tensor:
    return interpolate(x, size=(3, 2), mode="bilinear")


def larger_of_two(x: Tensor) -> Tensor:
    return torch.maximum(x, x.roll(1, 1))


def larger_of_branches(x: Tensor) -> Tensor:
    return torch.maximum(x[:, :2], x[:, 2:])  # as maxout


def reflected(x: Tensor) -> Tensor:
    return pad(x, (2, 1, 0, 3), mode="reflect")


def wrapped(x: Tensor) -> Tensor:
    return pad(x, (1, 2, 3, 0), mode="circular")


def replicated(x: Tensor) -> Tensor:
    return pad(x, (2, 0, 1, 1), mode="replicate")


class Thresholded(nn.Module):
    """A filter response normalisation's threshold: a maximum with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(x, self.tau)


class Inserted(nn.Module):
    """The first channels of a map are replaced, as ReXNet and GhostNet write their shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = x * 1
        y[:, :2] = self.conv(x)
        y[:, :, 1:] = x[:, :, :-1]
        return y


STEPS: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
    **{
        step.__name__: lambda step=step: step
        for step in (
            *(sum_of_groups, sum_of_stacked, mean_of_channels, mean_of_places, sum_of_rows),
            *(nearest, uneven, bilinear, aligned, shrunk, larger_of_two),
            *(larger_of_branches, reflected, wrapped, replicated),
        )
    },
    "thresholded": Thresholded,
    "inserted": Inserted,
}


class Stepped(nn.Module):
    """A small classifier with a step between two convolutions."""

    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.step = step
        channels = step(torch.zeros(1, 4, 6, 8)).shape[1]
        self.second = nn.Conv2d(channels, 4, 1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.step(self.first(x).relu())).relu()
        return self.fc(adaptive_max_pool2d(y, 1).flatten(1))


def network(name: str) -> nn.Module:
    module = Stepped(STEPS[name]()).eval().double()
    numbers = torch.Generator().manual_seed(len(name))
    for parameter in module.parameters():
        low = -1 if parameter.ndim > 1 else 0
        parameter.data = torch.randint(low, 2, parameter.shape, generator=numbers).double()
    return module


FAST = {
    *("sum_of_groups", "sum_of_stacked", "mean_of_places", "aligned", "larger_of_two", "inserted"),
    *("reflected", "wrapped"),
}

ALPHAS = [Alpha(1, 0, 0), Alpha(1, 1, 1), Alpha(0.5, 0.25, 1)]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in STEPS])
def test_each_operator_agrees_with_the_oracle(name: str) -> None:
    tracer = Tracer(network(name))
    images = torch.randint(-2, 4, (1, 3, 6, 8), generator=torch.Generator().manual_seed(1)).double()
    plan = tracer.plan((6, 8))
    walks = [
        (TraceConfig.paper(average_pool="positive"), ALPHAS),
        (TraceConfig.paper(location="field", convolution=2, average_pool=0.5, share="score"), ALPHAS),
        (TraceConfig.paper(average_pool=1), ALPHAS),
        (TraceConfig.excitation_backprop(), ALPHAS[:1]),
    ]
    for config, alphas in walks:
        oracles = [Oracle(plan.network, image, config) for image in images]
        arms = [Settings(alpha, replace(config, depth="image")) for alpha in alphas]
        for target in range(2):
            for oracle, traces in zip(oracles, tracer.traces(images, arms, [target]), strict=True):
                for arm, trace in zip(arms, traces, strict=True):
                    (expected,) = oracle.run(arm.alpha, target, plan.network.image)
                    found = np.zeros((6, 8))
                    for place, share in expected.items():
                        found[place] = share
                    assert np.allclose(trace.map, found, rtol=1e-9, atol=1e-12), (arm, target)


@pytest.mark.parametrize("name", ["larger_of_two", "larger_of_branches", "inserted", "sum_of_stacked"])
def test_a_walk_that_ends_at_a_cut_knows_what_supports_its_neurons(name: str) -> None:
    tracer = Tracer(network(name))
    images = torch.randint(-2, 4, (2, 3, 6, 8), generator=torch.Generator().manual_seed(1)).double()
    cuts = [cut.name for cut in tracer.plan((6, 8)).cuts]
    arms = [Settings(alpha, TraceConfig.paper(depth=cut)) for cut in cuts for alpha in ALPHAS]
    alone = zip(*(tracer.traces(images, [arm]) for arm in arms), strict=True)
    for together, one_by_one in zip(tracer.traces(images, arms), alone, strict=True):
        for trace, (only,) in zip(together, one_by_one, strict=True):
            assert np.array_equal(trace.map, only.map)


@pytest.mark.parametrize("axes", [(0,), (0, 2, 3)])
def test_a_mean_over_the_batch_is_refused(axes: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedOperatorError, match="mixes the images of a batch"):
        Tracer(nn.Sequential(nn.Conv2d(3, 2, 1), Mean(axes), nn.Flatten())).traces(torch.ones(2, 3, 4, 4), [Alpha()])


@pytest.mark.parametrize("join", [torch.cat, torch.stack])
def test_a_constant_beside_a_map_is_refused(join: Callable[..., Tensor]) -> None:
    class Beside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return join([x, torch.ones(1, 2, 4, 4)], 1).flatten(1)

    with pytest.raises(UnsupportedOperatorError, match="puts a constant beside a map"):
        Tracer(nn.Sequential(nn.Conv2d(3, 2, 1), Beside())).traces(torch.ones(1, 3, 4, 4), [Alpha()])


@pytest.mark.parametrize("selection", ["positive", 3])
@pytest.mark.parametrize("pooled", [nn.AdaptiveAvgPool2d(1), nn.AvgPool2d(4)], ids=["adaptive", "average"])
def test_a_mean_that_rounds_to_nothing_has_a_strongest_term_and_no_positive_one(
    pooled: nn.Module, selection: Selection
) -> None:
    tiny = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        tiny.weight.zero_()
        tiny.bias.fill_(5e-45)
    network = nn.Sequential(tiny, nn.ReLU(), pooled, nn.Flatten(), nn.Linear(2, 2))
    for pool in (network, nn.Sequential(tiny, nn.ReLU(), Mean((2, 3)), nn.Flatten(), nn.Linear(32, 2))):
        config = TraceConfig(average_pool=selection, linear=1, depth="1")
        (traces,) = Tracer(pool).traces(torch.ones(1, 3, 4, 4), [Settings(Alpha(), config)])
        assert traces[0].shares.sum() == pytest.approx(0 if selection == "positive" else 1)


class Mean(nn.Module):
    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.axes, keepdim=True).expand_as(x)
