"""Relevance by Captum and Zennit: layer-wise relevance propagation (Bach et al. 2015) and excitation backpropagation.

A map is the positive relevance of each pixel, summed over its channels.
"""

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from experiments.errors import MethodError
from experiments.methods import Attribution, Subject, Variants
from experiments.methods.layered import STAGES, layered, stages


def captum_lrp(subject: Subject) -> Attribution:
    """LRP with Captum's default rule, ε, at every layer."""
    from captum.attr import LRP
    from captum.attr._utils.custom_modules import Addition_Module

    captum = LRP(layered(subject.module, Addition_Module))

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting forward, backward hooks")
            try:
                values: Tensor = captum.attribute(batch.clone().requires_grad_(), target=targets)
            except TypeError as error:
                layer = str(error).partition(" has no rule")[0]
                raise MethodError(
                    f"Captum's LRP has no rule for a layer of this network ({layer}): leave it out"
                ) from error
        return values.sum(dim=1).clamp(min=0).detach()

    return attribute


class _Sum(nn.Module):
    """Zennit's sum of two branches, which shares relevance in proportion to them."""

    def __init__(self) -> None:
        from zennit.layer import Sum

        super().__init__()
        self.sum = Sum()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        summed: Tensor = self.sum(torch.stack([first, second], dim=-1))
        return summed


def zennit_lrp(subject: Subject) -> Attribution:
    """LRP with Zennit's composite of the z⁺ rule for convolutions and the ε rule for linear layers."""
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlus

    zennit = Gradient(layered(subject.module, _Sum), EpsilonPlus(layer_map=_norms_pass()))

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        def score(output: Tensor) -> Tensor:
            return nn.functional.one_hot(targets, output.shape[1]) * output.detach()

        values: Tensor = zennit(batch.clone().requires_grad_(), score)[1]
        return values.sum(dim=1).clamp(min=0).detach()

    return attribute


def excitation_backpropagation(subject: Subject) -> Attribution:
    """Excitation backpropagation (Zhang et al. 2018) by Zennit, to the pixels."""
    variants = excitation_variants(subject)

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        return variants(batch, targets)["image"]

    return attribute


def excitation_variants(subject: Subject) -> Variants:
    """Excitation backpropagation read at the last stages, scaled to the input bilinearly, and at the pixels.

    All come of one pass. Biases take no relevance (Zhang et al. 2018, Eq. 4, has none).
    """
    from zennit.composites import ExcitationBackprop

    composite = ExcitationBackprop(layer_map=_norms_pass(), zero_params=["bias"])

    @cache
    def prepare(shape: tuple[int, ...]) -> tuple[nn.Module, dict[str, nn.Module]]:
        network = layered(subject.module, _Sum)
        return network, stages(network, shape, STAGES)

    def attribute(batch: Tensor, targets: Tensor) -> dict[str, Tensor]:
        network, layers = prepare(tuple(batch.shape[1:]))
        outputs = dict[str, Tensor]()
        handles = [
            layer.register_forward_hook(lambda _, __, output, name=name: outputs.update({name: output}))
            for name, layer in layers.items()
        ]
        image = batch.clone().requires_grad_()
        try:
            with composite.context(network) as explained:
                scores = explained(image)
                wanted = nn.functional.one_hot(targets, scores.shape[1]).to(scores)
                relevances = torch.autograd.grad(scores, [image, *outputs.values()], wanted)
        finally:
            for handle in handles:
                handle.remove()
        maps = [relevance.sum(dim=1, keepdim=True).clamp(min=0).detach() for relevance in relevances]
        scaled = [nn.functional.interpolate(found, batch.shape[2:], mode="bilinear") for found in maps]
        return {name: found[:, 0] for name, found in zip(["image", *outputs], scaled, strict=True)}

    return attribute


def _norms_pass() -> list[tuple[type[nn.Module], Any]]:
    """Zennit's composites know no local response normalisation: relevance passes it, as it passes a ReLU."""
    from zennit.rules import Pass

    return [(nn.LocalResponseNorm, Pass())]
