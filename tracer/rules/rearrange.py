"""Operators that only move neurons: each goes to where it came from."""

import operator
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracer.errors import UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import Index, Neurons, hand_over
from tracer.rules.base import DenseWalk, Rule, Values, Walk, rule

aten = torch.ops.aten

_SPLITS = (
    aten.split.Tensor,
    aten.split_with_sizes.default,
    aten.chunk.default,
    aten.tensor_split.sections,
    aten.unbind.int,
)


@rule(
    aten.view.default,
    aten._unsafe_view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.permute.default,
    aten.transpose.int,
    aten.select.int,
    aten.slice.Tensor,
    aten.expand.default,
    aten.channel_shuffle.default,
    aten.pixel_shuffle.default,
    aten.pixel_unshuffle.default,
    aten.roll.default,
    aten.flip.default,
    aten.constant_pad_nd.default,
    aten.pad.default,
    operator.getitem,
)
class Rearrange(Rule):
    """Runs the operator on the numbers of its input's neurons to learn where each neuron came from.

    A neuron of a border padded with a constant goes to the nearest pixel of the input.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        self._source: NDArray[np.int32] | None = None

    @cached_property
    def inputs(self) -> tuple[Operation, ...]:
        (first, *_) = self.operation.inputs
        return first.inputs[:1] if self.operation.target is operator.getitem and first.target in _SPLITS else (first,)

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        (image,) = self.inputs
        yield image, hand_over(self._sources()[selected.index], selected.shares, walk.slots)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        (image,) = self.inputs
        sources = self._logical_sources.to(shares.device)
        moved = shares.new_zeros(len(shares), image.size).index_add_(1, sources, shares.flatten(1))
        yield image, moved.reshape(-1, *image.shape)

    @cached_property
    def _logical_sources(self) -> Tensor:
        """Place in the input of each neuron of the result, both in the shapes that the model gives them, flattened."""
        (image,) = self.inputs
        return self._rearrange(torch.arange(image.size).reshape(1, *image.shape)).reshape(-1).long()

    def support(self, index: Index, walk: Walk) -> Values:
        sources, back = np.unique(self._sources()[index], return_inverse=True)
        return walk.support(self.inputs[0], sources)[back]

    def _sources(self) -> NDArray[np.int32]:
        """Place in the input of each neuron of the result, shape (neurons,)."""
        if self._source is None:
            (image,) = self.inputs
            numbers = stored(torch.arange(image.size), image.shape)[None]
            result = self._rearrange(numbers)
            if result.shape != (1, *self.operation.shape):
                raise UnsupportedOperatorError(f"{self.operation.place} moves neurons between the images of a batch")
            self._source = to_stored(result[0]).to(torch.int32).numpy()
        return self._source

    def _rearrange(self, numbers: torch.Tensor) -> torch.Tensor:
        """The operation, applied to numbers in the place of activations; shape (1, ...)."""
        target, args = self.operation.target, self.operation.args
        if target is operator.getitem:
            split = self.operation.inputs[0]
            if split.target not in _SPLITS:  # the first of several results, as of a pooling with its indices
                return numbers
            part: torch.Tensor = split.target(numbers, *_for_one(split.args[1:]), **split.kwargs)[args[1]]
            return part
        if target in (aten.constant_pad_nd.default, aten.pad.default):
            mode = self.operation.named("map", "pad", "mode", "value").get("mode", "constant")
            mode = "replicate" if mode == "constant" else mode
            return torch.nn.functional.pad(numbers.double(), args[1], mode)
        if target in (aten.view.default, aten._unsafe_view.default, aten.reshape.default):
            return numbers.reshape(1, *self.operation.shape)
        result: torch.Tensor = target(numbers, *_for_one(args[1:]), **self.operation.kwargs)
        return result


@rule(
    aten.upsample_nearest2d.vec,
    aten.upsample_nearest2d.default,
    aten._upsample_nearest_exact2d.vec,
    aten._upsample_nearest_exact2d.default,
)
class NearestUpsampling(Rearrange):
    """A neuron goes to the one that it repeats."""

    def _rearrange(self, numbers: torch.Tensor) -> torch.Tensor:
        return super()._rearrange(numbers.double())  # the operator takes no whole numbers


def _for_one(args: tuple[object, ...]) -> list[object]:
    """Arguments with the batch's size, where the graph computes it, set to one image."""
    return [
        1 if isinstance(arg, Operation) else _for_one(tuple(arg)) if isinstance(arg, (list, tuple)) else arg
        for arg in args
    ]


def stored(values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Values in stored order, shape (neurons,), in the shape that the model gives them."""
    if len(shape) != 3:
        return values.reshape(shape)
    channels, height, width = shape
    return values.reshape(height, width, channels).permute(2, 0, 1)


def to_stored(values: torch.Tensor) -> torch.Tensor:
    """Values in the shape that the model gives them, in stored order, shape (neurons,)."""
    return (values.permute(1, 2, 0) if values.ndim == 3 else values).reshape(-1)
