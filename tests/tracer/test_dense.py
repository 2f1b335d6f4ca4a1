"""The walk by whole layers: neurons without positive evidence, and half precision."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tracer.config import TraceConfig
from tracer.dense import DenseWalk
from tracer.evidence import Alpha
from tracer.settings import Settings
from tracer.trace import Tracer

EVERYTHING = TraceConfig.excitation_backprop()


class Starved(nn.Module):
    """A network in which the layer under test is positive by its bias alone, at most of its places."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.layer = nn.Conv2d(3, 4, 3, padding=1), layer
        self.head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(torch.relu(self.first(x))))


class Gate(nn.Module):
    """Averages that are positive by what is added to them alone."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.before, self.pool, self.after = nn.Conv2d(4, 4, 1), pool, nn.Conv2d(4, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.pool(-torch.relu(self.before(x)) - 1))


class Rows(nn.Module):
    """A linear layer at every place of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Means(nn.Module):
    """Means over rows."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2, keepdim=True)


LAYERS = {
    "depthwise": nn.Conv2d(4, 4, 3, padding=1, groups=4),
    "grouped, two outputs a channel": nn.Conv2d(4, 8, 3, stride=2, groups=2),
    "of size 1": nn.Conv2d(4, 5, 1),
    "some fields wholly in the padding": nn.Conv2d(4, 5, 1, padding=1),
    "dilated, some fields wholly in the padding": nn.Conv2d(4, 5, 2, padding=3, dilation=2, stride=2),
    "uneven padding": nn.Conv2d(4, 5, (2, 4), padding="same"),
    "linear": Rows(),
    "average of all": Gate(nn.AdaptiveAvgPool2d(1)),
    "average of uneven windows": Gate(nn.AdaptiveAvgPool2d((3, 2))),
    "average of padded windows": Gate(nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
    "means": Gate(Means()),
    "bilinear upsampling": Gate(nn.UpsamplingBilinear2d(scale_factor=2)),
}


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_neuron_without_positive_evidence_chooses_none_as_in_the_walk_neuron_by_neuron(
    layer: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = Starved(layer).eval()
    network(torch.zeros(1, 3, 7, 6))  # the head learns its width
    network.double()
    with torch.no_grad():
        for name, weight in network.layer.named_parameters():  # small whole numbers: ties are frequent
            weight.copy_(torch.randint(-2, 3, weight.shape) if name.endswith("weight") else torch.full_like(weight, 60))
    images = torch.randint(-2, 4, (2, 3, 7, 6)).double()
    arms = [Settings(Alpha(1, 0, 0), replace(EVERYTHING, share=share)) for share in ("evidence", "score")]
    tracer = Tracer(network)
    one_by_one = [found[1].map for found in tracer.traces(images, arms, [0, 2])]
    monkeypatch.setattr(DenseWalk, "trace_sparsely", None)  # nothing is left to be traced neuron by neuron
    for found, expected in zip(tracer.traces(images, arms[:1], [0, 2]), one_by_one, strict=True):
        assert found[0].shares.sum() == pytest.approx(1) or isinstance(layer, Gate)
        assert np.allclose(found[0].map, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("share", ["evidence", "score"])
def test_what_is_positive_by_its_bias_alone_moves_no_evidence(share: str) -> None:
    depthwise = [nn.Conv2d(3, 3, 3, padding=1, groups=3) for _ in range(4)]
    network = nn.Sequential(*depthwise, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        for layer in depthwise:
            layer.weight.fill_(1)
            layer.bias.fill_(5)
        depthwise[0].weight.zero_()  # what lies around the one bright pixel is as bright in every map but the image
        depthwise[0].weight[:, :, 1, 1] = 1
        network[-1].weight.fill_(1)
    image = torch.zeros(1, 3, 15, 15)
    image[:, :, 7, 7] = 3
    ((trace,),) = Tracer(network).traces(image, [Settings(Alpha(1, 0, 0), replace(EVERYTHING, share=share))])
    assert trace.points.tolist() == [[7, 7]]


class Mobile(nn.Module):
    """Depthwise and pointwise convolutions with linear bottlenecks, as in MobileNetV2."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6())
        self.block = nn.Sequential(
            nn.Conv2d(8, 24, 1), nn.ReLU6(), nn.Conv2d(24, 24, 3, 1, 1, groups=24), nn.ReLU6(), nn.Conv2d(24, 8, 1)
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(x + self.block(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_comes_close_to_single(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = Mobile().eval()
    images = torch.randn(3, 3, 16, 16)
    arms = [Settings(Alpha(), replace(EVERYTHING, depth=depth)) for depth in ("image", 2)]
    single = Tracer(network).traces(images, arms, [0, 1, 2])
    half = Tracer(network.to(dtype)).traces(images, arms, [0, 1, 2])
    for found, expected in zip(chain(*half), chain(*single), strict=True):
        assert found.shares.sum() == pytest.approx(1, abs=1e-4)
        assert np.abs(found.map - expected.map).sum() < 0.1  # of a sum of 1
