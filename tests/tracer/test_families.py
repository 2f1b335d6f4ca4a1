"""Every torchvision CNN is traced, and one of each family agrees with the oracle."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from tests.tracer.oracle import Oracle
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.models import architectures
from tracer.settings import Settings
from tracer.trace import Tracer

FAMILIES = {
    "squeezenet1_1": 64,
    "resnet18": 64,
    "mobilenet_v2": 64,
    "shufflenet_v2_x0_5": 64,
    "efficientnet_b0": 64,
    "densenet121": 64,
    "googlenet": 64,
    "convnext_tiny": 64,
    "alexnet": 80,
    "vgg11_bn": 32,
    "resnext50_32x4d": 64,
    "wide_resnet50_2": 64,
    "inception_v3": 96,
    "mobilenet_v3_small": 64,
    "mnasnet0_5": 64,
    "efficientnet_v2_s": 64,
    "regnet_x_400mf": 64,
    "regnet_y_400mf": 64,
}
FAST = {
    *product(("squeezenet1_1", "resnet18", "shufflenet_v2_x0_5"), ("peak", "center")),
    ("squeezenet1_1", "field"),
}
ALPHAS = [Alpha(1, 1, 1), Alpha(0.5, 2, 1)]


def network(name: str) -> nn.Module:
    """A torchvision network with random weights whose batch norms shift and scale."""
    torch.manual_seed(0)
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    module = models.get_model(name, weights=None, **extra).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.bias, -0.2, 0.3)
    return module


@pytest.mark.parametrize(
    ("name", "location"),
    [
        pytest.param(name, location, marks=[] if (name, location) in FAST else pytest.mark.slow)
        for name in FAMILIES
        for location in ("peak", "center", "field")
    ],
)
def test_one_of_each_family_agrees_with_the_oracle(name: str, location: str) -> None:
    module = network(name).double()
    size = FAMILIES[name]
    image = torch.randn(3, size, size + 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    config = TraceConfig.paper(location=location, linear=20, flatten=1, convolution=1)
    tracer = Tracer(module, config)
    traces = tracer.traces(image[None], ALPHAS)[0]
    traced = tracer.plan((size, size + 8)).network
    oracle = Oracle(traced, image, config)
    for alpha, trace in zip(ALPHAS, traces, strict=True):
        (expected,) = oracle.run(alpha, trace.target, traced.image)
        found = dict(zip(map(tuple, trace.points.tolist()), trace.shares, strict=True))
        assert found.keys() == expected.keys()
        assert np.allclose([found[point] for point in expected], list(expected.values()), rtol=1e-6, atol=0)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", architectures())
def test_every_architecture_is_walked_both_ways_and_read_at_every_stride(name: str) -> None:
    size = 96 if name == "inception_v3" else 64
    arms = [
        Settings(config=make(depth=depth))
        for make in (TraceConfig.paper, TraceConfig.excitation_backprop)
        for depth in (32, 16, 8, "image")
    ]
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    (traces,) = Tracer(network(name)).traces(images, arms)
    for arm, trace in zip(arms, traces, strict=True):
        assert len(trace.points), arm.config
        assert trace.shares.sum() == pytest.approx(1, abs=1e-4 if arm.config.dense else 1e-9), arm.config
        assert trace.shape == (size, size) or arm.config.depth != "image"
    assert [trace.shape for trace in traces[:4]] == [trace.shape for trace in traces[4:]]
