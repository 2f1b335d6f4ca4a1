"""Poolings: the location of the maximum, or the strongest locations of an average (Section 3.1, last paragraph)."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from tracer.config import Selection, TraceConfig
from tracer.errors import UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import Index, Neurons, hand_over
from tracer.rules.base import DenseWalk, Rule, SelectingRule, Values, Walk, rule
from tracer.rules.division import divide
from tracer.rules.windows import pair
from tracer.selection import Lister

aten = torch.ops.aten

Ranges = NDArray[np.int64]
"""First row (column) of each window, the one behind its last, and the step, shape (windows, 3)."""


class Pooling(Rule):
    """What poolings share: windows over rows and columns of one channel."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        if len(operation.inputs[0].shape) != 3:
            raise UnsupportedOperatorError(
                f"{operation.place} pools something else than a map (channels, height, width)"
            )
        self.rows, self.columns = self._ranges()
        if any((ranges[:, 0] >= ranges[:, 1]).any() for ranges in (self.rows, self.columns)):
            raise UnsupportedOperatorError(
                f"{operation.place} pools windows that lie in the padding alone: their value is no value of the input"
            )

    @property
    def reads(self) -> tuple[Operation, ...]:
        return self.inputs

    @abstractmethod
    def _ranges(self) -> tuple[Ranges, Ranges]:
        """Rows and columns of the windows, as far as they lie in the input."""


@rule(aten.max_pool2d.default, aten.adaptive_max_pool2d.default)
class MaxPooling(Pooling):
    """The location of the maximum in each selected neuron's window.

    Padding never wins. Ties go to the first location in row-major order, as in torch.
    """

    def _ranges(self) -> tuple[Ranges, Ranges]:
        operation = self.operation
        heights, widths = operation.inputs[0].shape[1:], operation.shape[1:]
        if operation.target is aten.adaptive_max_pool2d.default:
            return _adaptive(heights[0], widths[0]), _adaptive(heights[1], widths[1])
        arguments = operation.named("image", "size", "stride", "padding", "dilation")
        size = pair(arguments["size"])
        stride = pair(arguments.get("stride") or size)
        padding, dilation = pair(arguments.get("padding", 0)), pair(arguments.get("dilation", 1))
        rows, columns = (_sliding(heights[a], widths[a], size[a], stride[a], padding[a], dilation[a]) for a in (0, 1))
        return rows, columns

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        (image,) = self.inputs
        places = _maxima(walk.stored(image), self.rows, self.columns, selected.index)
        yield image, hand_over(places, selected.shares, walk.slots)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        (image,) = self.inputs
        operation = self.operation
        if operation.target is aten.adaptive_max_pool2d.default:
            yield image, _hand_to_maxima(shares, walk.tensor(image))
        else:
            yield image, _hand_to_maxima(shares, walk.tensor(image), operation.args[1:], operation.kwargs)

    def support(self, index: Index, walk: Walk) -> Values:
        values = walk.stored(self.inputs[0])
        largest: Values = values.reshape(-1)[_maxima(values, self.rows, self.columns, index)]
        return largest


@rule(aten.avg_pool2d.default, aten.adaptive_avg_pool2d.default)
class AveragePooling(Pooling, SelectingRule):
    """One candidate a location of the window, with weight 1/area."""

    def _ranges(self) -> tuple[Ranges, Ranges]:
        operation = self.operation
        heights = operation.inputs[0].shape[1:]
        widths = operation.shape[1:]
        if operation.target is aten.adaptive_avg_pool2d.default:
            rows, columns = _adaptive(heights[0], widths[0]), _adaptive(heights[1], widths[1])
            self.areas = np.outer(rows[:, 1] - rows[:, 0], columns[:, 1] - columns[:, 0]).astype(np.float64)
            return rows, columns
        arguments = operation.named(
            "image", "size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"
        )
        size = pair(arguments["size"])
        stride, padding = pair(arguments.get("stride") or size), pair(arguments.get("padding", 0))
        rows, columns = (_sliding(heights[a], widths[a], size[a], stride[a], padding[a], 1) for a in (0, 1))
        if arguments.get("divisor_override"):
            self.areas = np.full((len(rows), len(columns)), arguments["divisor_override"], np.float64)
        else:
            padded = arguments.get("count_include_pad", True)
            extents = (
                _extents(ranges, heights[a], size[a], stride[a], padding[a]) if padded else ranges[:, 1] - ranges[:, 0]
                for a, ranges in enumerate((rows, columns))
            )
            self.areas = np.outer(*extents).astype(np.float64)
        return rows, columns

    def selection(self, config: TraceConfig) -> Selection:
        return config.average_pool

    def lister(self, walk: Walk) -> Lister:
        values = walk.stored(self.inputs[0])
        extents = [int((ranges[:, 1] - ranges[:, 0]).max()) for ranges in (self.rows, self.columns)]

        def fill(index: Index, _: Index, found: tuple[NDArray[Any], ...]) -> None:
            _list_candidates(values, self.rows, self.columns, self.areas, index, *found)

        return Lister(extents[0] * extents[1], values.dtype, fill)

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        (image,) = self.inputs
        values = walk.tensor(image)
        positive = values.clamp(min=0)
        divided = divide(shares, self.operation.evaluate({image: positive}))
        yield image, positive * self._spread(divided, positive)

    def _spread(self, values: Tensor, like: Tensor) -> Tensor:
        """Each window's value over its area, added up at every location of the window: the pooling's transpose."""
        operation = self.operation
        transpose: Callable[..., Tensor] = aten._adaptive_avg_pool2d_backward.default
        arguments: list[Any] = []
        if operation.target is not aten.adaptive_avg_pool2d.default:
            transpose = aten.avg_pool2d_backward.default
            defaults = {"size": None, "stride": [], "padding": [0, 0], "ceil_mode": False, "count_include_pad": True}
            named = dict(zip([*defaults, "divisor_override"], operation.args[1:], strict=False))
            arguments = list({**defaults, "divisor_override": None, **named, **operation.kwargs}.values())
        return transpose(values.contiguous(), like.contiguous(), *arguments)

    def support(self, index: Index, walk: Walk) -> Values:
        values = walk.stored(self.inputs[0])
        largest: Values = values.reshape(-1)[_maxima(values, self.rows, self.columns, index)]
        averaged: Values = (largest / self.areas.reshape(-1)[index // values.shape[2]]).astype(values.dtype)
        return averaged


def _hand_to_maxima(
    shares: Tensor,
    values: Tensor,
    arguments: Sequence[Any] | None = None,
    named: Mapping[str, Any] = MappingProxyType({}),
) -> Tensor:
    """Each window's share at its maximum, the first of equals.

    Args:
        shares: Shape (b, channels, rows, columns) of the windows.
        values: What is pooled, shape (b, channels, height, width).
        arguments: Those of ``max_pool2d`` after the map; without them, windows as those of an adaptive pooling.
        named: Those given by name.
    """
    values = values.contiguous()  # channels last, torch would break ties otherwise
    if arguments is None:
        _, places = adaptive_max_pool2d(values, shares.shape[2:], return_indices=True)
    else:
        _, places = aten.max_pool2d_with_indices.default(values, *arguments, **named)
    moved = torch.zeros_like(values).flatten(2)
    return moved.scatter_add_(2, places.flatten(2), shares.contiguous().flatten(2)).view_as(values)


def _adaptive(extent: int, windows: int) -> Ranges:
    number = np.arange(windows)
    stop = -(-(number + 1) * extent // windows)
    return np.stack([number * extent // windows, stop, np.ones_like(number)], axis=1).astype(np.int64)


def _sliding(extent: int, windows: int, size: int, stride: int, padding: int, dilation: int) -> Ranges:
    start = np.arange(windows) * stride - padding
    stop = np.minimum(start + dilation * (size - 1) + 1, extent)
    start = np.where(start < 0, start - start // dilation * dilation, start)  # the first row inside
    return np.stack([start, stop, np.full(windows, dilation)], axis=1).astype(np.int64)


def _extents(ranges: Ranges, extent: int, size: int, stride: int, padding: int) -> NDArray[np.int64]:
    """Rows (columns) that an average divides by when padding counts: as far as the padded input reaches."""
    start = np.arange(len(ranges)) * stride - padding
    return np.minimum(start + size, extent + padding) - start


@njit(cache=True, nogil=True)
def _maxima(values, rows, columns, index):  # type: ignore[no-untyped-def]
    """Place of the first maximum of each neuron's window."""
    _, width, channels = values.shape
    windows = columns.shape[0]
    places = np.empty(index.size, np.int32)
    for i in range(index.size):
        channel, location = index[i] % channels, index[i] // channels
        y, x = location // windows, location % windows
        row, column = rows[y, 0], columns[x, 0]
        for r in range(rows[y, 0], rows[y, 1], rows[y, 2]):
            for c in range(columns[x, 0], columns[x, 1], columns[x, 2]):
                if values[r, c, channel] > values[row, column, channel]:
                    row, column = r, c
        places[i] = (row * width + column) * channels + channel
    return places


@njit(cache=True, nogil=True)
def _list_candidates(values, rows, columns, areas, index, found, current, spans, best):  # type: ignore[no-untyped-def]
    stop = 0
    _, width, channels = values.shape
    windows = columns.shape[0]
    for i in range(index.size):
        channel, location = index[i] % channels, index[i] // channels
        y, x = location // windows, location % windows
        start, top, row, column = stop, stop, rows[y, 0], columns[x, 0]
        for r in range(rows[y, 0], rows[y, 1]):
            for c in range(columns[x, 0], columns[x, 1]):
                value = values[r, c, channel]
                if value > values[row, column, channel]:
                    row, column = r, c
                found[stop] = (r * width + c) * channels + channel
                current[stop] = value / areas[y, x]
                if current[stop] > 0:  # a tiny value over an area may be none
                    if current[stop] > current[top]:
                        top = stop
                    stop += 1
        if stop == start:
            found[start] = (row * width + column) * channels + channel
            current[start] = values[row, column, channel] / areas[y, x]
            stop = start + 1
        spans[i, 0], spans[i, 1], best[i] = start, stop, top
