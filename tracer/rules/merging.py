"""Operators that put two maps together place by place: each neuron goes on to the one that its value came from."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tracer.errors import UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import Index, Neurons, hand_over
from tracer.rules.base import DenseWalk, Rule, Values, Walk, rule
from tracer.rules.elementwise import Elementwise
from tracer.rules.rearrange import stored, to_stored

aten = torch.ops.aten


@rule(aten.maximum.default)
class Maximum(Rule):
    """The larger operand at a neuron's own place, the first of equals; a constant or broadcast one is none."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        if not self.inputs:
            raise UnsupportedOperatorError(f"{operation.place} compares no map of the result's shape {operation.shape}")

    @cached_property
    def inputs(self) -> tuple[Operation, ...]:
        return tuple(operand for operand in self.operation.inputs if operand.shape == self.operation.shape)

    @property
    def reads(self) -> tuple[Operation, ...]:
        return self.inputs if len(self.inputs) > 1 else ()

    @property
    def supporters(self) -> tuple[Operation, ...]:
        return self.inputs

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        for operand, own in zip(self.inputs, self._owned(selected.index, walk), strict=True):
            if own.any():
                yield operand, Neurons(selected.index[own], selected.shares[own])

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        if len(self.inputs) == 1:
            yield self.inputs[0], shares
            return
        first, second = self.inputs
        own = walk.tensor(first) >= walk.tensor(second)
        yield first, shares * own
        yield second, shares * ~own

    def support(self, index: Index, walk: Walk) -> Values:
        values = np.empty(len(index), np.float64)
        for operand, own in zip(self.inputs, self._owned(index, walk), strict=True):
            values[own] = walk.support(operand, index[own])
        return values

    def _owned(self, index: Index, walk: Walk) -> tuple[NDArray[np.bool_], ...]:
        """For each operand, which neurons came from it."""
        if len(self.inputs) == 1:
            return (np.ones(len(index), np.bool_),)
        first, second = (walk.stored(operand).reshape(-1)[index] for operand in self.inputs)
        return first >= second, first < second


@rule(aten.copy.default)
class Copy(Elementwise):
    """What is written over a map: a neuron goes on to its own place of the second operand."""

    @property
    def inputs(self) -> tuple[Operation, ...]:
        return tuple(argument for argument in self.operation.args[1:2] if isinstance(argument, Operation))


@rule(aten.slice_scatter.default, aten.select_scatter.default, aten.stack.default)
class Assembly(Rule):
    """Maps stacked, or one of them inserted into another: a neuron goes on to the map that holds it.

    The operator is run on numbers of the neurons to learn where each came from.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(operation.args)):
            raise UnsupportedOperatorError(f"{operation.place} puts a constant beside a map")
        self._starts = np.cumsum([0, *(source.size for source in self.inputs)]).tolist()

    @cached_property
    def inputs(self) -> tuple[Operation, ...]:
        return tuple(dict.fromkeys(self.operation.inputs))

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        for source, own, places in self._parts(selected.index):
            if own.any():
                yield source, hand_over(places, selected.shares[own], walk.slots)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        sources = self._assemble([torch.arange(source.size) for source in self.inputs]).flatten().to(shares.device)
        moved = shares.new_zeros(len(shares), self._starts[-1]).index_add_(1, sources, shares.flatten(1))
        for source, start in zip(self.inputs, self._starts, strict=False):
            yield source, moved[:, start : start + source.size].reshape(-1, *source.shape)

    def support(self, index: Index, walk: Walk) -> Values:
        values = np.empty(len(index), np.float64)
        for source, own, places in self._parts(index):
            distinct, back = np.unique(places, return_inverse=True)
            values[own] = walk.support(source, distinct)[back]
        return values

    def _parts(self, index: Index) -> Iterable[tuple[Operation, NDArray[np.bool_], Index]]:
        """Each map, with a mask of the neurons that came from it, and their places in it."""
        sources = self._sources[index]
        for source, start in zip(self.inputs, self._starts, strict=False):
            own = (sources >= start) & (sources < start + source.size)
            yield source, own, sources[own] - np.int32(start)

    @cached_property
    def _sources(self) -> Index:
        """Stored place of each neuron's source, in stored order; those of a map are raised by the sizes before it."""
        numbers = [stored(torch.arange(source.size), source.shape) for source in self.inputs]
        sources: Index = to_stored(self._assemble(numbers)).to(torch.int32).numpy()
        return sources

    def _assemble(self, numbers: Sequence[Tensor]) -> Tensor:
        """The operation, applied to numbers of each map's neurons in the place of activations, for one image."""
        raised = {
            source: (own + start).reshape(1, *source.shape)
            for source, own, start in zip(self.inputs, numbers, self._starts, strict=False)
        }
        result: Tensor = self.operation.evaluate(raised)
        if result.shape != (1, *self.operation.shape):
            raise UnsupportedOperatorError(f"{self.operation.place} joins the images of a batch")
        return result[0]
