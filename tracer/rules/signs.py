"""The positive products of activations and weights, as sums that whole-layer operators can take."""

from collections.abc import Sequence
from functools import reduce

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
    if operation.target is aten.hardtanh.default:  # ReLU6, as torch.export writes it
        return bool(operation.named("values", "least", "most").get("least", -1) >= 0)
    return operation.target in _KEEPING and all(is_never_negative(source) for source in operation.inputs)


class SignedWeights:
    """A layer's weights, parted by sign.

    Args:
        weight: The weights, shape (outputs, channels of a group, ...).
        source: The operation whose activations the layer reads.
        channels: The axis of the channels in those activations.
        groups: Of channels; a layer without groups takes both signs in one call, side by side as channels.
    """

    def __init__(self, weight: Tensor, source: Operation, channels: int, groups: int = 1) -> None:
        self._weight = weight
        self._nonnegative = is_never_negative(source)
        self._channels = channels
        self._stacked = groups == 1
        self._parts: dict[tuple[str, object], Tensor] = {}

    def terms(self, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Parts of the activations and of the weights whose products are the positive products of the two.

        A product is positive where both are positive or both negative. Activations after a ReLU have no negative part,
        which saves half of the work.

        Args:
            values: The activations.
        """
        if self._nonnegative or values.min() >= 0:
            return [(values, self._part("positive", values))]
        positive, negative = values.clamp(min=0), values.clamp(max=0)
        if self._stacked:
            return [(torch.cat([positive, negative], self._channels), self._part("both", values))]
        return [(positive, self._part("positive", values)), (negative, self._part("negative", values))]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """The sum over the terms of what their products come to, in the shape of the activations."""
        total = reduce(torch.add, parts)
        width = self._weight.shape[1]
        if self._stacked and total.shape[self._channels] != width:
            return reduce(torch.add, torch.split(total, width, self._channels))
        return total

    def _part(self, sign: str, values: Tensor) -> Tensor:
        key = (sign, values.dtype)
        if key not in self._parts:
            weight = self._weight.to(values.dtype)
            signs = {"positive": [weight.clamp(min=0)], "negative": [weight.clamp(max=0)]}
            signs["both"] = [*signs["positive"], *signs["negative"]]
            self._parts[key] = torch.cat(signs[sign], 1)
        return self._parts[key]
