"""Linear layers (Eq. 2 and 3)."""

from collections.abc import Iterable
from functools import cached_property, reduce
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from tracer.config import Selection, TraceConfig
from tracer.network import Operation, to_numpy
from tracer.neurons import Index
from tracer.rules.base import DenseWalk, SelectingRule, Values, Walk, rule
from tracer.rules.division import divide
from tracer.rules.signs import SignedWeights
from tracer.selection import Lister, Supports
from tracer.vectors import FAST, largest_product, maximum

aten = torch.ops.aten

LEADING = 128
"""Inputs of highest Z_pre that are looked at first."""
BLOCK = 16
"""Products compared at once."""


@rule(aten.linear.default)
class Linear(SelectingRule):
    """One candidate an input of Θ, with Z_cur[θ] = A_cur[θ]·W[Θ, θ].

    On a vector it is a hidden linear layer; on a flattened map, the flattened convolution of the paper; applied at
    every place of a map (the last dimension, as in ConvNeXt), a convolution of size 1. Each has its own selection.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        self.weight: Values = to_numpy(operation.args[1])

    def selection(self, config: TraceConfig) -> Selection:
        choices = {"convolution": config.convolution, "flatten": config.flatten, "linear": config.linear}
        return choices[self._kind]

    @cached_property
    def _kind(self) -> str:
        """What the layer is: a convolution of size 1, a flattened convolution or a hidden linear layer."""
        if len(self.inputs[0].shape) > 1:
            return "convolution"
        source = self.inputs[0]
        while len(source.shape) == 1 and source.inputs and source.inputs[0].size == source.size:
            if source.target is aten.linear.default:
                break
            source = source.inputs[0]
        flattened = len(source.shape) == 3 and source.size > source.shape[0]
        return "flatten" if flattened else "linear"

    def lister(self, walk: Walk) -> Lister:
        values = self._values(walk)
        one = self.selection(walk.config) == 1 and len(values) == 1
        return self._list_leaders(values, walk) if one else self._list_all(values, walk)

    def _list_all(self, values: Values, walk: Walk) -> Lister:
        def fill(index: Index, _: Index, found: tuple[NDArray[Any], ...]) -> None:
            row, output = self._places(index)
            _fill_all(values, walk.weight(self), row, output, *_input_places(self.inputs[0].shape, row), *found)

        return Lister(values.shape[1], values.dtype, fill)

    def _list_leaders(self, values: Values, walk: Walk) -> Lister:
        needed = bool((walk.alphas(self.operation)[:, 2] > 0).any())
        leading = _leading(values[0], walk.supports(self.inputs[0]), needed)

        def fill(index: Index, popular: Index, found: tuple[NDArray[Any], ...]) -> None:
            _fill_leaders(values[0], walk.weight(self), index, leading, popular, *found)

        return Lister(values.shape[1], values.dtype, fill, complete=False)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        (source,) = self.inputs
        values = walk.tensor(source)
        terms = self._signed.terms(values)
        divided = divide(shares, reduce(torch.add, (part @ filters.T for part, filters in terms)))
        yield source, self._signed.join([(divided @ filters).mul_(part) for part, filters in terms])

    @cached_property
    def _signed(self) -> SignedWeights:
        return SignedWeights(self.operation.args[1], self.inputs[0], channels=-1)

    def support(self, index: Index, walk: Walk) -> Values:
        products: Values = _largest_products(self._values(walk), self.weight, *self._places(index))
        return products

    def _values(self, walk: Walk) -> Values:
        values = walk.logical(self.inputs[0])
        return values.reshape(-1, values.shape[-1])

    def _places(self, index: Index) -> tuple[Index, Index]:
        """Row of the input and output feature of neurons of the result."""
        shape = self.operation.shape
        if len(shape) == 3:  # stored as (second, third, first)
            first, features = shape[0], shape[2]
            rest = index // first
            return ((index % first) * shape[1] + rest // features).astype(np.int32), (rest % features).astype(np.int32)
        return (index // shape[-1]).astype(np.int32), (index % shape[-1]).astype(np.int32)


def _input_places(shape: tuple[int, ...], row: Index) -> tuple[Index, int]:
    """Stored place of each row's first feature, and the step from one feature to the next."""
    if len(shape) == 3:  # stored as (second, third, first)
        return ((row % shape[1]) * shape[2] * shape[0] + row // shape[1]).astype(np.int32), shape[0]
    return (row * shape[-1]).astype(np.int32), 1


def _leading(values: Values, supports: Supports, needed: bool) -> Index:
    """The inputs with the highest Z_pre, which is the same for every Θ; none where no track asks for Z_pre."""
    if not needed:
        return np.zeros(0, np.int32)
    active = np.flatnonzero(values).astype(np.int32)
    supports.require_places(active)
    order = np.argsort(-supports.values[active], kind="stable")
    return active[order[:LEADING]]


@njit(cache=True, nogil=True, fastmath=FAST)
def _fill_leaders(values, weight, output, leading, popular, found, current, spans, best):  # type: ignore[no-untyped-def]
    """The candidates that can be the one chosen.

    A *leading* input is one of those with the highest Z_pre, which is the same for every Θ. An input with less Z_cur
    than a leading one has less Z_pre too, so it cannot win and is left out. Two kinds stay in any case: the first
    positive input, which wins where every Ω is 0, and the popular ones, whose Z_suc is above 1.
    """
    m = values.size
    product, key = np.empty(m, values.dtype), np.empty(m, values.dtype)
    stop = 0
    for i in range(output.size):
        filters = weight[output[i]]
        for c in range(m):
            product[c] = values[c] * filters[c]
            key[c] = product[c]
        least = values.dtype.type(0)
        for c in leading:
            least = max(least, product[c])
        if least <= 0:
            # where none of the leading ones is a candidate, keep all
            least = maximum(product, m) if leading.size == 0 else values.dtype.type(0)
        for c in leading:
            key[c] = np.inf if product[c] > 0 else key[c]
        for c in popular:
            key[c] = np.inf if product[c] > 0 else key[c]
        for c in range(m):
            if product[c] > 0:
                key[c] = np.inf
                break
        start, top = stop, stop
        first = 0
        while first < m:
            part = key[first : min(first + BLOCK, m)]
            hits = 0
            for c in range(part.size):
                hits += part[c] >= least
            if hits > 0:
                for c in range(part.size):
                    if part[c] >= least and product[first + c] > 0:
                        found[stop], current[stop] = first + c, product[first + c]
                        if current[stop] > current[top]:
                            top = stop
                        stop += 1
            first += BLOCK
        if stop == start:
            strongest = 0
            for c in range(1, m):
                if product[c] > product[strongest]:
                    strongest = c
            found[start], current[start] = strongest, product[strongest]
            stop = start + 1
        spans[i, 0], spans[i, 1], best[i] = start, stop, top


@njit(cache=True, nogil=True)
def _fill_all(values, weight, row, output, first, step, found, current, spans, best):  # type: ignore[no-untyped-def]
    m = values.shape[1]
    stop = 0
    for i in range(row.size):
        inputs, filters = values[row[i]], weight[output[i]]
        start, top = stop, stop
        for c in range(m):
            product = inputs[c] * filters[c]
            found[stop] = first[i] + c * step
            current[stop] = product
            if product > current[top]:
                top = stop
            stop += product > 0
        if stop == start:
            strongest = 0
            for c in range(1, m):
                if inputs[c] * filters[c] > inputs[strongest] * filters[strongest]:
                    strongest = c
            found[start] = first[i] + strongest * step
            current[start] = inputs[strongest] * filters[strongest]
            stop = start + 1
        spans[i, 0], spans[i, 1], best[i] = start, stop, top


@njit(cache=True, nogil=True, fastmath=FAST)
def _largest_products(values, weight, row, output):  # type: ignore[no-untyped-def]
    largest = np.empty(row.size, values.dtype)
    for i in range(row.size):
        largest[i] = largest_product(values[row[i]], weight[output[i]])
    return largest
