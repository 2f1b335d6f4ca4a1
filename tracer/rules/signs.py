"""The positive products of activations and weights, as sums that whole-layer operators can take."""

from torch import Tensor


def signed_terms(values: Tensor, weight: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Parts of the activations and of the weights whose products are the positive products of the two.

    A product is positive where both are positive or both negative. Activations after a ReLU have no negative part, and
    half of the work is saved.
    """
    terms = [(values.clamp(min=0), weight.clamp(min=0))]
    if values.min() < 0:
        terms.append((values.clamp(max=0), weight.clamp(max=0)))
    return terms
