"""Excitation backpropagation agrees with Zennit's, at the cuts that both have.

Zennit is asked for what the tracer does where they differ: biases are left out, which would take shares that no neuron
gets; sums and averages divide among positive terms alone, where Zennit's rule is signed; activations, and batch norms
that no convolution takes up, hand everything on. A neuron without positive evidence hands its share to the strongest
candidate in the tracer and loses it in Zennit. The networks here have no such neuron on the way, which the tests make
sure of: Zennit's shares must sum to 1 as well.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.densenet import DenseNet, _DenseLayer, _Transition
from zennit.canonizers import Canonizer, CompositeCanonizer, NamedMergeBatchNorm, SequentialMergeBatchNorm
from zennit.composites import ExcitationBackprop
from zennit.core import BasicHook, Stabilizer
from zennit.layer import Sum
from zennit.rules import NoMod, Pass
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, BatchNorm

from tracer.config import TraceConfig
from tracer.settings import Settings
from tracer.trace import Tracer

SMALLEST = 1e-100
"""What Zennit adds to a denominator."""


def positive_terms() -> BasicHook:
    """Zennit's rule ``Norm`` with negative terms left out."""
    stabilizer = Stabilizer.ensure(SMALLEST)
    return BasicHook(
        input_modifiers=[lambda values: values.clamp(min=0)],
        param_modifiers=[NoMod(param_keys=[])],
        output_modifiers=[lambda output: output],
        gradient_mapper=lambda given, outputs: given / stabilizer(outputs[0]),
        reducer=lambda inputs, gradients: inputs[0] * gradients[0],
    )


def zennit_shares(
    module: nn.Module, canonizer: Canonizer, image: Tensor, target: int, layers: Sequence[str]
) -> list[np.ndarray]:
    """The shares of the cells of the image, and of the results of some layers, by Zennit."""
    module = deepcopy(module)
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False  # Zennit's hooks return views
    composite = ExcitationBackprop(
        stabilizer=SMALLEST,
        layer_map=[(kind, positive_terms()) for kind in (Sum, AvgPool)]
        + [(kind, Pass()) for kind in (Activation, BatchNorm)],
        zero_params=["bias"],
        canonizers=[canonizer],
    )
    results: dict[str, Tensor] = {}
    for layer in layers:
        keep = lambda _, __, result, layer=layer: results.__setitem__(layer, result)  # noqa: E731
        module.get_submodule(layer).register_forward_hook(keep)
    image = image[None].clone().requires_grad_()
    with composite.context(module) as modified:
        scores = modified(image)
        start = nn.functional.one_hot(torch.tensor([target]), scores.shape[1]).to(scores)
        shares = torch.autograd.grad(scores, [image, *(results[layer] for layer in layers)], start)
    return [share[0].sum(dim=0).numpy() for share in shares]


def assert_agreement(
    module: nn.Module, canonizer: Canonizer, layers: Sequence[str], size: tuple[int, int] = (64, 64)
) -> None:
    """The tracer and Zennit give every cell of the image and of some layers' maps the same share."""
    image = torch.randn(3, *size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    arms = [Settings(config=TraceConfig.excitation_backprop(depth=depth)) for depth in ("image", *layers)]
    traces = Tracer(module).traces(image[None], arms)[0]
    theirs = zennit_shares(module, canonizer, image, traces[0].target, layers)
    for trace, shares in zip(traces, theirs, strict=True):
        assert shares.sum() == pytest.approx(1, abs=1e-9), f"Zennit lost shares before {trace.depth}"
        np.testing.assert_allclose(trace.map, shares, rtol=1e-9, atol=1e-15, err_msg=trace.depth)


def normalised(module: nn.Module) -> nn.Module:
    """The module with batch norms that shift and scale, in eval mode and double precision."""
    numbers = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 0  # Zennit adds it once more where it has merged the batch norm into a convolution
            part.running_mean.normal_(0, 0.1, generator=numbers)
            part.running_var.uniform_(0.5, 2, generator=numbers)
            nn.init.uniform_(part.weight, 0.5, 1.5, generator=numbers)
            nn.init.uniform_(part.bias, -0.2, 0.3, generator=numbers)
    return module.eval().double()


def test_a_small_network_agrees() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2, 1)),
        nn.Sequential(nn.Conv2d(16, 24, 3, groups=2, padding=2, dilation=2), nn.ReLU()),
        nn.Sequential(nn.AvgPool2d(3, 2, 1)),
        nn.Sequential(nn.Conv2d(24, 24, (3, 1), padding=(1, 0)), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d((3, 2)), nn.Flatten(), nn.Linear(144, 20), nn.ReLU(), nn.Linear(20, 6)),
    )
    assert_agreement(normalised(module), SequentialMergeBatchNorm(), ["0", "1", "2", "3", "4"], (33, 40))


@pytest.mark.slow
def test_resnet18_agrees() -> None:
    torch.manual_seed(0)
    layers = ["maxpool", "layer1.0", "layer1", "layer2", "layer3", "layer4"]
    assert_agreement(normalised(models.resnet18(weights=None)), ResNetCanonizer(), layers)


@pytest.mark.slow
def test_vgg11_agrees() -> None:
    torch.manual_seed(0)
    layers = ["features.2", "features.5", "features.10", "features.15", "features.20"]
    assert_agreement(normalised(models.vgg11(weights=None)), CompositeCanonizer(()), layers)


@pytest.mark.slow
def test_googlenet_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.functional, "relu", lambda values, inplace=False: torch.relu(values))
    torch.manual_seed(0)
    module = models.googlenet(weights=None, aux_logits=False, init_weights=False)
    layers = ["maxpool1", "maxpool2", "inception3a", "inception3b", "inception4c", "inception4e", "inception5b"]
    assert_agreement(normalised(module), SequentialMergeBatchNorm(), layers)


class LayeredDenseNet(nn.Module):
    """DenseNet with its last activation and pooling as layers, for Zennit sees layers alone."""

    def __init__(self, network: DenseNet) -> None:
        super().__init__()
        self.features, self.classifier = network.features, network.classifier
        self.relu, self.pool = nn.ReLU(), nn.AdaptiveAvgPool2d(1)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.pool(self.relu(self.features(image))).flatten(1))
        return scores


@pytest.mark.slow
def test_densenet121_agrees() -> None:
    torch.manual_seed(0)
    module = LayeredDenseNet(models.densenet121(weights=None))
    merged = [(["features.conv0"], "features.norm0")]
    for name, part in module.named_modules():
        if isinstance(part, _DenseLayer):
            merged.append(([f"{name}.conv1"], f"{name}.norm2"))
        if isinstance(part, _Transition):  # its pooling follows no activation: let no window be without positive values
            part.conv.weight.data.abs_()
    layers = ["features.pool0", "features.denseblock1", "features.transition1", "features.denseblock2"]
    layers += ["features.transition2", "features.denseblock3", "features.transition3", "features.denseblock4"]
    assert_agreement(normalised(module), NamedMergeBatchNorm(merged), layers)
