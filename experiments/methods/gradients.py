"""Gradients of the class score by Captum."""

import warnings
from typing import Any

from torch import Tensor

from experiments.methods import Attribution, Subject
from experiments.methods.layered import layered

STEPS = 50
"""Steps of integrated gradients: Captum's default."""


def saliency(subject: Subject) -> Attribution:
    """Saliency (Simonyan et al. 2013): the largest absolute gradient over a pixel's channels."""
    from captum.attr import Saliency

    captum = Saliency(layered(subject.module))

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        values: Tensor = captum.attribute(batch.clone().requires_grad_(), target=targets)
        return values.amax(dim=1).detach()

    return attribute


def integrated_gradients(subject: Subject) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017) from zero: the absolute value of a pixel's sum over channels."""
    from captum.attr import IntegratedGradients

    captum = IntegratedGradients(layered(subject.module))

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        values: Tensor = captum.attribute(
            batch.clone().requires_grad_(), target=targets, n_steps=STEPS, internal_batch_size=max(8, len(batch))
        )
        return values.sum(dim=1).abs().detach().float()

    return attribute


def deconvolution(subject: Subject) -> Attribution:
    """Deconvolution (Zeiler & Fergus 2014): the largest absolute value over a pixel's channels."""
    from captum.attr import Deconvolution

    return _through_relus(Deconvolution(layered(subject.module)))


def guided_backpropagation(subject: Subject) -> Attribution:
    """Guided backpropagation (Springenberg et al. 2015): the largest absolute value over a pixel's channels."""
    from captum.attr import GuidedBackprop

    return _through_relus(GuidedBackprop(layered(subject.module)))


def _through_relus(captum: Any) -> Attribution:
    """A method of Captum that changes the gradient of ReLUs."""

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting backward hooks on ReLU")
            values: Tensor = captum.attribute(batch.clone().requires_grad_(), target=targets)
        return values.abs().amax(dim=1).detach()

    return attribute
