"""Operators that put two maps together place by place: each neuron goes on to the one that its value came from."""

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


@rule(aten.slice_scatter.default)
class Insertion(Rule):
    """A map with a part of it replaced by another: a neuron goes to the map, or the part, that holds it.

    The operator is run on numbers of the neurons to learn where each came from.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        if len(self.inputs) < 2:
            raise UnsupportedOperatorError(f"{operation.place} writes a map into a constant, or a constant into a map")

    @cached_property
    def inputs(self) -> tuple[Operation, ...]:
        return tuple(argument for argument in self.operation.args[:2] if isinstance(argument, Operation))

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        for source, own, places in self._parts(selected.index):
            if own.any():
                yield source, hand_over(places, selected.shares[own], walk.slots)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        first, second = self.inputs
        numbers = (torch.arange(source.size).reshape(1, *source.shape) for source in (first, second))
        sources = self._insert(next(numbers), next(numbers) + first.size).reshape(-1).to(shares.device)
        moved = shares.new_zeros(len(shares), first.size + second.size)
        moved.index_add_(1, sources, shares.flatten(1))
        yield first, moved[:, : first.size].reshape(-1, *first.shape)
        yield second, moved[:, first.size :].reshape(-1, *second.shape)

    def support(self, index: Index, walk: Walk) -> Values:
        values = np.empty(len(index), np.float64)
        for source, own, places in self._parts(index):
            distinct, back = np.unique(places, return_inverse=True)
            values[own] = walk.support(source, distinct)[back]
        return values

    def _parts(self, index: Index) -> Iterable[tuple[Operation, NDArray[np.bool_], Index]]:
        """The two sources, each with a mask of the neurons that came from it, and their places in it."""
        first, second = self.inputs
        sources = self._sources[index]
        yield first, sources < first.size, sources[sources < first.size]
        yield second, sources >= first.size, sources[sources >= first.size] - np.int32(first.size)

    @cached_property
    def _sources(self) -> Index:
        """Stored place of each neuron's source, in stored order; those of the part are raised by the map's size."""
        first, second = (stored(torch.arange(source.size), source.shape)[None] for source in self.inputs)
        sources: Index = to_stored(self._insert(first, second + self.inputs[0].size)[0]).to(torch.int32).numpy()
        return sources

    def _insert(self, numbers: Tensor, part: Tensor) -> Tensor:
        inserted: Tensor = self.operation.target(numbers, part, *self.operation.args[2:], **self.operation.kwargs)
        return inserted
