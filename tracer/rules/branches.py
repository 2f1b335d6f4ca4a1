"""Operators that join branches: additions, concatenations and gates."""

from collections.abc import Iterable
from functools import cached_property, reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tracer.errors import UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import TINY, Index, Neurons, stored_shape
from tracer.rules.base import DenseWalk, Rule, Values, Walk, rule
from tracer.rules.division import SMALLEST
from tracer.rules.elementwise import Elementwise
from tracer.selection import choose_branch
from tracer.selection_kernels import part_of_branch

aten = torch.ops.aten

_GATES = (aten.sigmoid.default, aten.hardsigmoid.default, aten.tanh.default, aten.softmax.int, aten._softmax.default)


@rule(aten.add.Tensor)
class Addition(Rule):
    """The branch of the highest Ω with unit weights: Z_cur is the branch's activation, Z_suc is 1.

    Where convolutions select ``"positive"``, every branch with a positive activation has its part, in proportion to it
    or, where shares follow scores, to its Ω.
    A constant, or an operand that is broadcast, is no branch. As a preceding layer, the larger branch supports.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        if not self.inputs:
            raise UnsupportedOperatorError(f"{operation.place} adds no map of the result's shape {operation.shape}")

    @cached_property
    def inputs(self) -> tuple[Operation, ...]:
        return tuple(branch for branch in self.operation.inputs if branch.shape == self.operation.shape)

    @property
    def reads(self) -> tuple[Operation, ...]:
        return self.inputs if len(self.inputs) > 1 else ()

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        if len(self.inputs) == 1:
            yield self.inputs[0], selected
            return
        alphas = walk.alphas(self.operation)
        current = self._values(selected.index, walk)
        every, by_score = walk.config.convolution == "positive", walk.config.share == "score"
        support = np.zeros_like(current)
        if np.any(alphas[:, 2] > 0) and (by_score or not every):
            for number, branch in enumerate(self.inputs):
                support[:, number] = walk.support(branch, selected.index)
        if every:
            yield from self._divide(selected, current, _scores(current, support, alphas) if by_score else None)
            return
        chosen = choose_branch(current, support, selected.shares, alphas)
        for number, branch in enumerate(self.inputs):
            index, shares = part_of_branch(chosen, number, selected.index, selected.shares)
            if len(index):
                yield branch, Neurons(index, shares)

    def _divide(
        self, selected: Neurons, current: Values, scores: NDArray[np.float64] | None
    ) -> Iterable[tuple[Operation, Neurons]]:
        """Each branch with its part of the shares; where no activation is positive, all of it goes to the largest.

        Args:
            selected: The neurons of the sum, n of them.
            current: Activation of each branch, shape (n, branches).
            scores: Ω of each branch by track, shape (n, branches, tracks), to divide by where one is positive.
        """
        evidence = np.maximum(current, 0).astype(np.float64)[:, :, None]
        none = ~evidence.any(axis=(1, 2))
        evidence[none, current[none].argmax(axis=1)] = 1
        parts = evidence
        if scores is not None:
            positive = np.where(evidence > 0, np.maximum(scores, 0), 0)
            parts = np.where(positive.any(axis=1, keepdims=True), positive, evidence)
        parts = parts / parts.sum(axis=1, keepdims=True)
        for number, branch in enumerate(self.inputs):
            own = evidence[:, number, 0] > 0
            if own.any():
                shares = selected.shares[own]
                given = np.where(shares > 0, np.maximum(shares * parts[own, number], TINY), 0)
                yield branch, Neurons(selected.index[own], given)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        if len(self.inputs) == 1:
            yield self.inputs[0], shares
            return
        current = [walk.tensor(branch) for branch in self.inputs]
        parts = [values.clamp(min=0) for values in current]
        total = reduce(torch.add, parts)
        none = total <= SMALLEST
        if bool((none & (shares > 0)).any()):
            largest = torch.stack(current).argmax(dim=0)  # the first of equals, as neuron by neuron
            parts = [torch.where(none, (largest == number).to(total), part) for number, part in enumerate(parts)]
            total = reduce(torch.add, parts)
        divided = shares / total.masked_fill_(total <= SMALLEST, torch.inf)
        for branch, part in zip(self.inputs, parts, strict=True):
            yield branch, part.mul_(divided)

    def support(self, index: Index, walk: Walk) -> Values:
        if len(self.inputs) == 1:
            return walk.support(self.inputs[0], index)
        largest: Values = self._values(index, walk).max(axis=1)
        return largest

    def _values(self, index: Index, walk: Walk) -> Values:
        """Each branch's activation at given places, shape (n, branches)."""
        values = np.empty((len(index), len(self.inputs)), walk.stored(self.inputs[0]).dtype)
        for number, branch in enumerate(self.inputs):
            values[:, number] = walk.stored(branch).reshape(-1)[index]
        return values


def _scores(current: Values, support: Values, alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ω of each branch with unit weights, by track, shape (n, branches, tracks)."""
    scores: NDArray[np.float64] = current[:, :, None] * alphas[:, 0] + support[:, :, None] * alphas[:, 2]
    return scores


@rule(aten.cat.default)
class Concatenation(Rule):
    """A neuron goes on to its branch; as a preceding layer, it supports with its activation (unit weight)."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        axis = operation.args[1] if len(operation.args) > 1 else operation.kwargs.get("dim", 0)
        self.axis = axis % (len(operation.shape) + 1) - 1
        if self.axis < 0:
            raise UnsupportedOperatorError(f"{operation.place} joins the images of a batch")
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(operation.args)):
            raise UnsupportedOperatorError(f"{operation.place} puts a constant beside a map")

    @property
    def inputs(self) -> tuple[Operation, ...]:
        return self.operation.inputs

    @property
    def reads(self) -> tuple[Operation, ...]:
        return self.inputs

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        for branch, inside, places in self._branches(selected.index):
            if inside.any():
                order = np.argsort(places)
                yield branch, Neurons(places[order], selected.shares[inside][order])

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        extents = [branch.shape[self.axis] for branch in self.inputs]
        yield from zip(self.inputs, torch.split(shares, extents, dim=self.axis + 1), strict=True)

    def support(self, index: Index, walk: Walk) -> Values:
        values = np.empty(len(index), walk.stored(self.inputs[0]).dtype)
        for branch, inside, places in self._branches(index):
            values[inside] = walk.stored(branch).reshape(-1)[places]
        return values

    def _branches(self, index: Index) -> Iterable[tuple[Operation, np.ndarray, Index]]:
        """Each branch with a mask of the neurons that are its own, and their places in it."""
        shape = stored_shape(self.operation.shape)
        axis = (self.axis - 1) % 3 if len(shape) == 3 else self.axis
        after, extent = int(np.prod(shape[axis + 1 :])), shape[axis]
        place = index // after % extent
        start = 0
        for branch in self.inputs:
            stop = start + branch.shape[self.axis]
            inside = (place >= start) & (place < stop)
            own = index[inside]
            outer, inner = own // (after * extent), own % after
            local = (outer * (stop - start) + place[inside] - start) * after + inner
            yield branch, inside, local.astype(np.int32)
            start = stop


@rule(aten.mul.Tensor)
class Gate(Elementwise):
    """A product follows the features, not the gate: the operand of the result's shape that no squashing produced."""

    @property
    def inputs(self) -> tuple[Operation, ...]:
        whole = [operand for operand in self.operation.inputs if operand.shape == self.operation.shape]
        features = [operand for operand in whole if operand.target not in _GATES]
        return tuple((features or whole)[:1])
