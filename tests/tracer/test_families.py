"""Every torchvision CNN is traced, and one of each family agrees with the oracle."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from tests.tracer.oracle import Oracle
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.models import architectures
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
FAST = {"squeezenet1_1", "resnet18", "shufflenet_v2_x0_5"}
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


@pytest.mark.parametrize("location", ["peak", "center"])
@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_one_of_each_family_agrees_with_the_oracle(name: str, location: str) -> None:
    module = network(name).double()
    size = FAMILIES[name]
    image = torch.randn(3, size, size + 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    config = TraceConfig(location=location, linear=20)
    tracer = Tracer(module, config)
    traces = tracer.traces(image[None], ALPHAS)[0]
    for alpha, trace in zip(ALPHAS, traces, strict=True):
        expected = Oracle(tracer.plan((size, size + 8)).network, image, alpha, config).run(trace.target)
        found = dict(zip(map(tuple, trace.points.tolist()), trace.shares, strict=True))
        assert found.keys() == expected.keys()
        assert np.allclose([found[point] for point in expected], list(expected.values()), rtol=1e-6, atol=0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_architecture_of_the_list_is_traced() -> None:
    for name in architectures():
        size = 96 if name == "inception_v3" else 64
        (trace,) = Tracer(network(name)).traces(torch.randn(1, 3, size, size), [Alpha()])[0]
        assert len(trace.points), name
        assert abs(trace.shares.sum() - 1) < 1e-9, name
