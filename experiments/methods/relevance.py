"""Layer-wise relevance propagation (Bach et al. 2015) by Captum and Zennit: the positive relevance of each pixel."""

import warnings

import torch
from torch import Tensor, nn

from experiments.errors import MethodError
from experiments.methods import Attribution, Subject
from experiments.methods.layered import layered


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

    zennit = Gradient(layered(subject.module, _Sum), EpsilonPlus())

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        def score(output: Tensor) -> Tensor:
            return nn.functional.one_hot(targets, output.shape[1]) * output.detach()

        values: Tensor = zennit(batch.clone().requires_grad_(), score)[1]
        return values.sum(dim=1).clamp(min=0).detach()

    return attribute
