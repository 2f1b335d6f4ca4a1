"""Sums of neurons with fixed weights: sums and means over any axes, and interpolation between places."""

from abc import abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from tracer.config import Selection, TraceConfig
from tracer.errors import UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import Index
from tracer.rules.base import DenseWalk, SelectingRule, Values, Walk, rule
from tracer.rules.division import divide
from tracer.rules.rearrange import stored
from tracer.selection import Lister

aten = torch.ops.aten


class Blend(SelectingRule):
    """One candidate a term, with Z_cur[θ] = A_cur[θ] · weight; as many are chosen as of an average pooling.

    Its weights are the network's own and at least 0, so that no image changes them.
    """

    terms_per_neuron: int

    @abstractmethod
    def terms(self, index: Index) -> tuple[Index, NDArray[np.float64]]:
        """The places in the input that neurons of the result are sums of, and their weights; both (n, terms)."""

    @abstractmethod
    def transpose(self, values: Tensor) -> Tensor:
        """What a value of each neuron of the result adds up to at each neuron of the input, (b, *input.shape)."""

    def selection(self, config: TraceConfig) -> Selection:
        return config.average_pool

    def lister(self, walk: Walk) -> Lister:
        values = walk.stored(self.inputs[0]).reshape(-1)

        def fill(index: Index, _: Index, found: tuple[NDArray[Any], ...]) -> None:
            _fill(values, *self.terms(index), *found)

        return Lister(self.terms_per_neuron, values.dtype, fill)

    def support(self, index: Index, walk: Walk) -> Values:
        values = walk.stored(self.inputs[0]).reshape(-1)
        places, weights = self.terms(index)
        largest: Values = np.where(weights > 0, values[places] * weights, -np.inf).max(axis=1).astype(values.dtype)
        return largest

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        (source,) = self.inputs
        values = walk.tensor(source)
        positive = values.clamp(min=0)
        divided = divide(shares, self.operation.evaluate({source: positive}))
        yield source, self.transpose(divided) * positive


@rule(aten.sum.dim_IntList, aten.mean.dim)
class Reduction(Blend):
    """A sum or a mean over some axes: a candidate is a neuron along them, with weight 1, or 1 over their number."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        rank = len(self.inputs[0].shape) + 1
        axes = operation.named("values", "axes").get("axes") or range(rank)
        self._axes = sorted(axis % rank for axis in axes)
        if 0 in self._axes:
            raise UnsupportedOperatorError(f"{operation.place} mixes the images of a batch")
        self.terms_per_neuron = int(np.prod([self.inputs[0].shape[axis - 1] for axis in self._axes]))
        self._weight = 1.0 if operation.target is aten.sum.dim_IntList else 1 / self.terms_per_neuron

    def terms(self, index: Index) -> tuple[Index, NDArray[np.float64]]:
        places = self._places[index]
        return places, np.full(places.shape, self._weight)

    @cached_property
    def _places(self) -> Index:
        """Stored places of the terms of each neuron of the result, in its stored order, shape (neurons, terms)."""
        shape = self.inputs[0].shape
        numbers = stored(torch.arange(self.inputs[0].size), shape)
        reduced = [axis - 1 for axis in self._axes]
        kept = [axis for axis in range(len(shape)) if axis not in reduced]
        numbers = numbers.permute(*kept, *reduced).reshape(*self.operation.shape, self.terms_per_neuron)
        if len(self.operation.shape) == 3:
            numbers = numbers.permute(1, 2, 0, 3)
        places: Index = numbers.reshape(-1, self.terms_per_neuron).to(torch.int32).numpy()
        return places

    def transpose(self, values: Tensor) -> Tensor:
        shape = self.inputs[0].shape
        kept = [1 if axis + 1 in self._axes else extent for axis, extent in enumerate(shape)]
        return (values.reshape(-1, *kept) * self._weight).expand(-1, *shape)


@rule(aten.upsample_bilinear2d.vec, aten.upsample_bilinear2d.default)
class BilinearUpsampling(Blend):
    """A candidate is one of the up to four places that a value is interpolated between, with its weight."""

    terms_per_neuron = 4

    def terms(self, index: Index) -> tuple[Index, NDArray[np.float64]]:
        channels, width = self.operation.shape[0], self.operation.shape[2]
        columns_in = self.inputs[0].shape[2]
        channel, place = index % channels, index // channels
        rows, row_weights = self._row_terms[0][place // width], self._row_terms[1][place // width]
        columns, column_weights = self._column_terms[0][place % width], self._column_terms[1][place % width]
        places = (rows[:, :, None] * columns_in + columns[:, None, :]).reshape(-1, 4) * channels + channel[:, None]
        weights: NDArray[np.float64] = (row_weights[:, :, None] * column_weights[:, None, :]).reshape(-1, 4)
        return places.astype(np.int32), weights

    def transpose(self, values: Tensor) -> Tensor:
        rows, columns = (torch.from_numpy(part).to(values) for part in (self._rows, self._columns))
        return torch.einsum("bcyx,yr,xs->bcrs", values, rows, columns)

    @cached_property
    def _rows(self) -> NDArray[np.float64]:
        """The weight of each row of the input in each row of the result, shape (rows, input rows)."""
        return self._weights(0)

    @cached_property
    def _columns(self) -> NDArray[np.float64]:
        return self._weights(1)

    @cached_property
    def _row_terms(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return _largest_two(self._rows)

    @cached_property
    def _column_terms(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return _largest_two(self._columns)

    def _weights(self, axis: int) -> NDArray[np.float64]:
        """The operator applied to images of ones in one row (column), one of them a channel."""
        height, width = self.inputs[0].shape[1:]
        extent = (height, width)[axis]
        unit = torch.eye(extent, dtype=torch.float64)[None]
        images = (unit[..., None] if axis == 0 else unit[:, :, None, :]).expand(1, extent, height, width)
        blended = self.operation.target(images, *self.operation.args[1:], **self.operation.kwargs)[0]
        weights: NDArray[np.float64] = (blended[:, :, 0] if axis == 0 else blended[:, 0, :]).T.contiguous().numpy()
        return weights


def _largest_two(weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The two inputs of highest weight of each row, ascending, and their weights, both (rows, 2)."""
    if weights.shape[1] == 1:
        weights = np.pad(weights, ((0, 0), (0, 1)))
    places = np.sort(np.argsort(-weights, axis=1, kind="stable")[:, :2], axis=1)
    found = np.take_along_axis(weights, places, axis=1)
    return np.where(found > 0, places, 0), found


@njit(cache=True, nogil=True)
def _fill(values, places, weights, found, current, spans, best):  # type: ignore[no-untyped-def]
    stop = 0
    for i in range(places.shape[0]):
        start, top, strongest = stop, stop, -1
        for j in range(places.shape[1]):
            if weights[i, j] <= 0:
                continue
            product = values[places[i, j]] * weights[i, j]
            if strongest < 0 or product > values[places[i, strongest]] * weights[i, strongest]:
                strongest = j
            found[stop], current[stop] = places[i, j], product
            if current[stop] > 0:  # a tiny product, rounded, may be none
                if current[stop] > current[top]:
                    top = stop
                stop += 1
        if stop == start:
            found[start] = places[i, strongest]
            current[start] = values[places[i, strongest]] * weights[i, strongest]
            stop = start + 1
        spans[i, 0], spans[i, 1], best[i] = start, stop, top
