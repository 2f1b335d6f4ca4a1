"""The positive products of activations and weights, as sums that whole-layer operators can take."""

import torch
from torch import Tensor

from tracer.network import Operation

aten = torch.ops.aten

_POSITIVE = {aten.relu.default, aten.relu6.default, aten.sigmoid.default, aten.hardsigmoid.default}
_KEEPING = {
    aten.max_pool2d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool2d.default,
    aten.mean.dim,
    aten.cat.default,
    aten.dropout.default,
    aten.clone.default,
    aten.view.default,
}


def is_never_negative(operation: Operation) -> bool:
    """Whether an operation's kind alone says that none of its neurons is below 0, as after a ReLU."""
    if operation.target in _POSITIVE:
        return True
    return operation.target in _KEEPING and all(is_never_negative(source) for source in operation.inputs)


class SignedWeights:
    """A layer's weights, parted by sign.

    Args:
        weight: The weights.
        source: The operation whose activations the layer reads.
    """

    def __init__(self, weight: Tensor, source: Operation) -> None:
        self._weight = weight
        self._nonnegative = is_never_negative(source)
        self._parts: dict[tuple[bool, object], Tensor] = {}

    def terms(self, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Parts of the activations and of the weights whose products are the positive products of the two.

        A product is positive where both are positive or both negative. Activations after a ReLU have no negative part,
        which saves half of the work.

        Args:
            values: The activations.
        """
        if self._nonnegative or values.min() >= 0:
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
