"""The positive products of activations and weights, as sums that whole-layer operators can take."""

from torch import Tensor


class SignedWeights:
    """A layer's weights, parted by sign.

    Args:
        weight: The weights.
    """

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight
        self._parts: dict[tuple[bool, object], Tensor] = {}

    def terms(self, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Parts of the activations and of the weights whose products are the positive products of the two.

        A product is positive where both are positive or both negative. Activations after a ReLU have no negative part,
        which saves half of the work.

        Args:
            values: The activations.
        """
        if values.min() >= 0:
            return [(values, self._part(True, values))]
        return [
            (values.clamp(min=0), self._part(True, values)),
            (values.clamp(max=0), self._part(False, values)),
        ]

    def _part(self, positive: bool, values: Tensor) -> Tensor:
        key = (positive, values.dtype)
        if key not in self._parts:
            weight = self._weight.to(values.dtype)
            self._parts[key] = weight.clamp(min=0) if positive else weight.clamp(max=0)
        return self._parts[key]
