"""Gradients of the class score by Captum."""

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
