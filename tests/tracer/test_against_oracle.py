"""The fast trace agrees exactly with the plain one, on random small networks of every operator, ties included.

Weights and images are small whole numbers and averages divide by powers of two, so that every sum is exact in float64
and ties are frequent.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.tracer.oracle import Oracle
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.reading import Trace
from tracer.settings import Settings
from tracer.trace import Tracer

NUMBERS = st.integers(0, 2**32 - 1)
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
ALPHAS = [
    Alpha(1, 0, 0),
    Alpha(1, 1, 1),
    Alpha(0, 1, 1),
    Alpha(1, 2, 0.5),
    Alpha(0.5, 0.25, 1),
    Alpha(1, 1, 0),
    Alpha(0, 0, 1),
    Alpha(0, 1, 0),
    Alpha(0.25, 4, 2),
]
CONFIGS = st.builds(
    TraceConfig,
    location=st.sampled_from(["peak", "center", "field"]),
    successor=st.sampled_from(["excess", "paper"]),
    linear=st.sampled_from(["positive", 1, 2, 0.5]),
    flatten=st.sampled_from([1, 3, "positive", 0.25]),
    convolution=st.sampled_from([1, 1, 1, 2, 0.5, "positive"]),
    average_pool=st.sampled_from([1, 0.5, 0.75, 3, "positive"]),
    share=st.sampled_from(["evidence", "score"]),
    contrast=st.sampled_from(["none", "mean", "others"]),
)


class Residual(nn.Module):
    def __init__(self, channels: int, draw) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, groups=draw(st.sampled_from([1, channels])))
        self.second = nn.Conv2d(channels, channels, 1)
        self.act = nn.ReLU(inplace=draw(st.booleans()))
        self.reuse = draw(st.booleans())

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.second(torch.relu(self.first(x))))
        y = y + x
        return torch.relu_(self.second(y) + y) if self.reuse else y


class Branches(nn.Module):
    def __init__(self, channels: int, draw) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, 3, 1)
        self.two = nn.Conv2d(channels, 2, 3, padding=1)
        self.pool = draw(st.sampled_from([nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1, divisor_override=8)]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x).relu(), self.two(x), self.pool(x)], 1)


class Gated(nn.Module):
    def __init__(self, channels: int, draw) -> None:
        super().__init__()
        self.scale = draw(st.sampled_from([0, 2**30]))  # its gates are exactly 1/2, or 0 and 1
        self.squeeze = nn.Conv2d(channels, channels, 1)
        self.linear = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        gated = x * (self.scale * self.squeeze(x.mean((2, 3), keepdim=True))).sigmoid()
        return gated + 0 * self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Pointwise(nn.Module):
    def __init__(self, channels: int, draw) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels + 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.permute(0, 2, 3, 1)).relu().permute(0, 3, 1, 2)


class Shuffle(nn.Module):
    def __init__(self, channels: int, draw) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels - channels // 2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept, _ = x.chunk(2, 1) if x.shape[1] > 1 else (x, x)
        if x.shape[1] % 2 == 0:
            b, c, h, w = x.shape
            x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return torch.cat([x, self.conv(kept)], 1)


@st.composite
def networks(draw) -> nn.Sequential:  # noqa: PLR0912, PLR0915
    """A random classifier whose every product and sum is a small whole number."""
    layers: list[nn.Module] = []
    channels, height, width = 3, draw(st.integers(5, 9)), draw(st.integers(5, 9))
    size = (height, width)
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(
            st.sampled_from(
                [
                    "conv",
                    "conv",
                    "group",
                    "depthwise",
                    "same",
                    "max",
                    "avg",
                    "adaptive",
                    "residual",
                    "cat",
                    "gate",
                    "shuffle",
                    "pointwise",
                    "pad",
                ]
            )
        )
        if kind == "conv":
            out = draw(st.integers(1, 20))
            layers.append(
                nn.Conv2d(
                    channels, out, draw(PAIR), draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.integers(1, 2))
                )
            )
        elif kind == "group":
            groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
            layers.append(nn.Conv2d(channels, 2 * groups, 3, padding=1, groups=groups))
        elif kind == "depthwise":
            layers.append(nn.Conv2d(channels, 2 * channels, 3, padding=1, groups=channels))
        elif kind == "same":
            layers.append(nn.Conv2d(channels, 4, draw(PAIR), padding="same", dilation=draw(st.integers(1, 2))))
        elif kind == "max":
            layers.append(
                nn.MaxPool2d(
                    2,
                    draw(st.integers(1, 2)),
                    draw(st.integers(0, 1)),
                    draw(st.integers(1, 2)),
                    ceil_mode=draw(st.booleans()),
                )
            )
        elif kind == "avg":
            layers.append(
                nn.AvgPool2d(
                    2, draw(st.integers(1, 2)), draw(st.integers(0, 1)), draw(st.booleans()), draw(st.booleans())
                )
            )
        elif kind == "adaptive":
            layers += [nn.AdaptiveMaxPool2d((4, 8)), nn.AdaptiveAvgPool2d((draw(st.sampled_from([2, 4])), 4))]
        elif kind == "pad":
            layers.append(nn.ZeroPad2d((1, 0, 0, 2)))
        else:
            made = {"residual": Residual, "cat": Branches, "gate": Gated, "shuffle": Shuffle, "pointwise": Pointwise}[
                kind
            ]
            layers.append(made(channels, draw))
        before = len(layers) - (2 if kind == "adaptive" else 1)
        layers.append(
            draw(
                st.sampled_from(
                    [nn.ReLU(), nn.ReLU(inplace=True), nn.Hardtanh(-4, 64), nn.LeakyReLU(0.5), nn.Dropout()]
                )
            )
        )
        with torch.no_grad():
            try:
                values = nn.Sequential(*layers[:-1]).eval()(torch.zeros(1, 3, *size))
            except RuntimeError:  # the map became too small for the layer
                del layers[before:]
                continue
        if not values.isfinite().all():  # a pooling's window lies in the padding alone
            del layers[before:]
            continue
        channels = values.shape[1]
    with torch.no_grad():
        shape = nn.Sequential(*layers).eval()(torch.zeros(1, 3, *size)).shape
    average = nn.AvgPool2d(tuple(shape[2:]), divisor_override=64)
    head = draw(st.sampled_from(["pooled", "convolution", "hidden"]))
    if head == "pooled":
        layers += [average, nn.Flatten(), nn.Linear(shape[1], 4)]
    elif head == "convolution":
        layers += [nn.Conv2d(shape[1], 4, 1), nn.ReLU(), average, nn.Flatten()]
    else:
        layers += [nn.Flatten(), nn.Linear(shape[1:].numel(), 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 4)]
    network = nn.Sequential(*layers).eval()
    numbers = torch.Generator().manual_seed(draw(NUMBERS))
    for parameter in network.parameters():
        low = -1 if parameter.ndim > 1 else 0
        parameter.data = torch.randint(low, 2, parameter.shape, generator=numbers).float()
    network.size = size
    return network.double()


def trace_map(trace: Trace) -> dict[tuple[int, int], float]:
    return dict(zip(map(tuple, trace.points.tolist()), trace.shares.tolist(), strict=True))


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(networks(), st.lists(CONFIGS, min_size=2, max_size=2), NUMBERS, st.integers(0, 3))
def test_every_track_agrees_with_the_oracle(
    network: nn.Module, configs: list[TraceConfig], seed: int, target: int
) -> None:
    image = torch.randint(-2, 4, (3, *network.size), generator=torch.Generator().manual_seed(seed)).double()
    tracer = Tracer(network)
    plan = tracer.plan(network.size)
    depths = ["image", plan.cuts[seed % len(plan.cuts)].name]
    cuts = [plan.cut(depth).operation for depth in depths]
    arms = [Settings(alpha, replace(config, depth=depth)) for config in configs for alpha in ALPHAS for depth in depths]
    traces = tracer.traces(image[None], arms, targets=[target])[0]
    chosen = seed % len(arms)
    alone = tracer.traces(image[None], [arms[chosen]], targets=[target])[0][0]
    assert np.array_equal(alone.points, traces[chosen].points)
    assert np.array_equal(alone.shares, traces[chosen].shares)
    oracles = [Oracle(plan.network, image, config) for config in configs]
    expectations = [shares for oracle in oracles for alpha in ALPHAS for shares in oracle.run(alpha, target, *cuts)]
    for arm, trace, expected in zip(arms, traces, expectations, strict=True):
        assert trace.shape == plan.cut(arm.config.depth).operation.shape[1:]
        found = trace_map(trace)
        assert found.keys() == expected.keys(), arm
        assert np.allclose([found[point] for point in expected], list(expected.values()), rtol=1e-12, atol=1e-15)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    networks(), st.sampled_from(["none", "mean", "others"]), NUMBERS, st.tuples(st.integers(0, 3), st.integers(0, 3))
)
def test_the_walk_by_whole_layers_agrees_with_the_oracle(
    network: nn.Module, contrast: str, seed: int, targets: tuple[int, int]
) -> None:
    images = torch.randint(-2, 4, (2, 3, *network.size), generator=torch.Generator().manual_seed(seed)).double()
    config = TraceConfig.excitation_backprop(contrast=contrast)
    tracer = Tracer(network, config)
    plan = tracer.plan(network.size)
    depths = ["image", *dict.fromkeys(cut.name for cut in plan.cuts[1:])]
    # Ω is Z_cur where only α_cur counts: the walk neuron by neuron, which `score` asks for, comes to the same.
    arms = [
        Settings(Alpha(1, 0, 0), replace(config, depth=depth, share=share))
        for depth in depths
        for share in ("evidence", "score")
    ]
    cuts = [plan.cut(arm.config.depth).operation for arm in arms]
    for image, target, traces in zip(images, targets, tracer.traces(images, arms, targets), strict=True):
        expectations = Oracle(plan.network, image, config).run(Alpha(1, 0, 0), target, *cuts)
        for arm, trace, shares in zip(arms, traces, expectations, strict=True):
            expected = np.zeros(trace.shape)
            for place, share in shares.items():
                expected[place] = share
            assert np.allclose(trace.map, expected, rtol=1e-12, atol=1e-15), arm.config
