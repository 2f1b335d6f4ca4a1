"""Convolutions: the Hadamard product of the receptive field and the filter, summed over its locations (Section 3.1)."""

from collections.abc import Callable, Iterable
from functools import cached_property, reduce
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d

from tracer.config import Selection, TraceConfig
from tracer.network import Operation, to_numpy
from tracer.neurons import TINY, Index, Neurons, sort
from tracer.rules.base import DenseWalk, SelectingRule, Values, Walk, rule
from tracer.rules.division import divide
from tracer.rules.signs import SignedWeights, is_never_negative
from tracer.rules.windows import Windows, pair
from tracer.selection import Lister
from tracer.vectors import FAST, larger, largest_product, maximum

aten = torch.ops.aten

CENTER, PEAK, FIELD = 0, 1, 2
LOCATIONS = {"center": CENTER, "peak": PEAK, "field": FIELD}
"""The numbers by which the compiled loops know where a channel is followed to."""
SLACK = 1 + 1e-4
"""Bounds are raised by this factor, so that rounding decides nothing."""

MOST_OUTPUTS = 0.75
"""Up to this part of a layer's outputs, leaving the others out saves more than copying the weights costs."""


@rule(aten.conv2d.default, aten.conv2d.padding)
class Convolution(SelectingRule):
    """One candidate an input channel of Θ's group, at the strongest product's location or at the field's centre.

    Z_cur of a channel is the sum of its products with the filter over the field. Z_pre of a neuron is the largest such
    sum over the channels of what produced it (Eq. 3). Padding never wins.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        weight, stride, padding, dilation, self.groups = _arguments(operation)
        self._filters = weight
        self._stride, self._padding, self._dilation = stride, padding, dilation
        self.windows = Windows((weight.shape[2], weight.shape[3]), stride, padding, dilation).as_array()
        outputs, self.width, rows, columns = weight.shape
        self.weight: Values = to_numpy(weight.permute(0, 2, 3, 1)).reshape(outputs, rows * columns, self.width)

    def selection(self, config: TraceConfig) -> Selection:
        return config.convolution

    def lister(self, walk: Walk) -> Lister:
        field = walk.stored(self.inputs[0])
        location = LOCATIONS[walk.config.location]
        geometry = (self.operation.shape[2], self.windows, self.groups, location)

        def fill(index: Index, _: Index, found: tuple[NDArray[Any], ...]) -> None:
            _list_candidates(field, walk.weight(self), index, self._by_filter(index), *geometry, *found)

        return Lister(self.width, field.dtype, fill)

    def expander(self, walk: Walk) -> Callable[[int, Neurons], Neurons] | None:
        if walk.config.location != "field":
            return None
        field, weight = walk.stored(self.inputs[0]), walk.weight(self)
        geometry = (self.operation.shape[2], self.windows, self.groups)

        def expand(place: int, chosen: Neurons) -> Neurons:
            return sort(*_expand(field, weight, place, chosen.index, chosen.shares, *geometry))

        return expand

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        (source,) = self.inputs
        terms = self._signed.terms(self._padded(walk.tensor(source)))
        if self.groups == 1:  # near the class, many outputs have no share in any image
            used = shares.amax(dim=(0, 2, 3)).nonzero().flatten()
            if not len(used):
                return
            if len(used) < MOST_OUTPUTS * len(self._filters):
                shares = shares.index_select(1, used)
                terms = [(part, filters.index_select(0, used)) for part, filters in terms]
        divided = divide(shares, reduce(torch.add, (self._apply(part, filters) for part, filters in terms)))
        parts = [self._transpose(divided, part, filters).mul_(part) for part, filters in terms]
        yield source, self._cropped(self._signed.join(parts))

    def _apply(self, values: Tensor, filters: Tensor) -> Tensor:
        """The convolution of values with filters of the layer's shape."""
        if self._pointwise:
            return _product(filters.flatten(1), values)
        return conv2d(values, filters, None, *self._geometry, self.groups)

    def _transpose(self, values: Tensor, like: Tensor, filters: Tensor) -> Tensor:
        """The convolution's transpose, which takes values of its result to its input, shaped ``like`` another."""
        if self._pointwise:
            return _product(filters.flatten(1).T, values)
        given: Tensor = aten.convolution_backward.default(
            values, like, filters, None, *self._geometry, False, (0, 0), self.groups, (True, False, False)
        )[0]
        return given

    @cached_property
    def _geometry(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Stride, padding and dilation; uneven padding is in the values already."""
        return self._stride, (0, 0) if self._uneven else self._padding, self._dilation

    @cached_property
    def _pointwise(self) -> bool:
        """Whether the layer is a product of matrices, which takes a fraction of a small map's convolution."""
        alone = tuple(self._filters.shape[2:]) == self._stride == (1, 1) and self._padding == (0, 0)
        return alone and self.groups == 1

    @cached_property
    def _signed(self) -> SignedWeights:
        return SignedWeights(self._filters, self.inputs[0], channels=1, groups=self.groups)

    @property
    def _uneven(self) -> bool:
        """Whether the padding is "same" for a filter of even size, which takes one more row or column at the end."""
        named = self.operation.named("image", "weight", "bias", "stride", "padding")
        return named.get("padding") == "same" and any((extent - 1) * step % 2 for extent, step in self._reach)

    @property
    def _reach(self) -> list[tuple[int, int]]:
        """Extent and dilation of the filter, along rows and columns."""
        return list(zip((int(self.windows[0]), int(self.windows[1])), self._dilation, strict=True))

    def _padded(self, values: Tensor) -> Tensor:
        if not self._uneven:
            return values
        sides = [side for extent, step in reversed(self._reach) for side in _same_padding(extent, step)]
        return torch.nn.functional.pad(values, sides)

    def _cropped(self, values: Tensor) -> Tensor:
        if not self._uneven:
            return values
        (top, _), (left, _) = (_same_padding(extent, step) for extent, step in self._reach)
        _, height, width = self.inputs[0].shape
        return values[:, :, top : top + height, left : left + width]

    def support(self, index: Index, walk: Walk) -> Values:
        field = walk.stored(self.inputs[0])
        geometry = (self.operation.shape[2], self.windows, self.groups)
        if self.width == 1:
            alone: Values = _sums_of_one_channel(field, self.weight[:, :, 0], index, *geometry)
            return alone
        sums: Values = _largest_sums(field, self.weight, index, self._by_filter(index), *geometry)
        return sums

    def _by_filter(self, index: Index) -> NDArray[np.int64]:
        """The order that takes one filter after the other: it stays in the nearest cache, as the fields would not."""
        return np.argsort((index % len(self.weight)).astype(np.uint16), kind="stable")

    def support_bound(self, walk: Walk) -> Callable[[Index], Values] | None:
        """By Cauchy and Schwarz: no channel's sum exceeds its field's norm times its filter's."""
        if 1 in self.weight.shape[1:]:  # the sums over one tap, or of one channel, are as cheap as their bound
            return None

        def bound(index: Index) -> Values:
            field = walk.stored(self.inputs[0])
            positive = is_never_negative(self.inputs[0]) or field.min() >= 0
            norms = self._positive_norms if positive else self._norms
            bounds: Values = _bounds(field, norms, index, self.operation.shape[2], self.windows, self.groups)
            return bounds

        return bound

    @cached_property
    def _norms(self) -> Values:
        """Of each channel of each filter, shape (outputs, channels)."""
        return _norms(self.weight)

    @cached_property
    def _positive_norms(self) -> Values:
        """Likewise of the filters' positive parts: the rest lowers the sum where no activation is negative."""
        return _norms(np.maximum(self.weight, 0))


def _arguments(
    operation: Operation,
) -> tuple[torch.Tensor, tuple[int, int], tuple[int, int], tuple[int, int], int]:
    """Weight, stride, padding, dilation and groups, with the defaults that the graph leaves out."""
    arguments = operation.named("image", "weight", "bias", "stride", "padding", "dilation", "groups")
    weight = arguments["weight"]
    dilation = pair(arguments.get("dilation", 1))
    padding = arguments.get("padding", 0)
    if padding == "same":
        padding = [step * (extent - 1) // 2 for step, extent in zip(dilation, weight.shape[2:], strict=True)]
    elif padding == "valid":
        padding = 0
    return weight, pair(arguments.get("stride", 1)), pair(padding), dilation, arguments.get("groups", 1)


def _product(matrix: Tensor, values: Tensor) -> Tensor:
    """A matrix times the channels at every place of maps, in the memory layout of the maps."""
    if values.is_contiguous():
        return (matrix @ values.flatten(2)).reshape(len(values), len(matrix), *values.shape[2:])
    return (values.movedim(1, -1) @ matrix.T).movedim(-1, 1)


def _same_padding(extent: int, step: int) -> tuple[int, int]:
    """Rows (columns) of padding before and after an input that a convolution leaves at its size."""
    whole = step * (extent - 1)
    return whole // 2, whole - whole // 2


def _norms(weight: Values) -> Values:
    """The norm of each channel of each filter, shape (outputs, channels)."""
    norms: Values = np.sqrt(np.square(weight).sum(axis=1)) * weight.dtype.type(SLACK)
    return norms


@njit(cache=True, nogil=True)
def _taps(windows, y, x, height, width, tap, row, column):  # type: ignore[no-untyped-def]
    """Fill in the filter's taps that lie in the input, with their rows and columns there; returns how many."""
    rows, columns, sy, sx, py, px, dy, dx = windows
    found = 0
    for i in range(rows):
        r = y * sy - py + i * dy
        if r < 0 or r >= height:
            continue
        for j in range(columns):
            c = x * sx - px + j * dx
            if 0 <= c < width:
                tap[found], row[found], column[found] = i * columns + j, r, c
                found += 1
    return found


@njit(cache=True, nogil=True)
def _list_candidates(  # type: ignore[no-untyped-def]
    field, weight, index, order, out_width, windows, groups, location, found, current, spans, best
):
    """The candidates of each Θ, followed to where ``location`` says (:data:`LOCATIONS`)."""
    height, width, channels = field.shape
    outputs, taps, m = weight.shape
    group_outputs = outputs // groups
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    total, strongest, where = np.empty(m, field.dtype), np.empty(m, field.dtype), np.empty(m, np.int32)
    stop = 0
    for i in order:
        output, cell = index[i] % outputs, index[i] // outputs
        y, x = cell // out_width, cell % out_width
        count = _taps(windows, y, x, height, width, tap, row, column)
        first = (output // group_outputs) * m
        total[:] = 0
        strongest[:] = -np.inf
        where[:] = _center(windows, y, x, height, width)
        if location == FIELD:
            _add_positive(field, weight[output], tap, row, column, count, first, total, strongest, where)
        elif location == PEAK and count > 1:
            _add_and_follow(field, weight[output], tap, row, column, count, first, total, strongest, where)
        else:
            _add(field, weight[output], tap, row, column, count, first, total)
            if location == PEAK and count == 1:
                where[:] = row[0] * width + column[0]
        start, top = stop, stop
        highest = field.dtype.type(0)
        for c in range(m):
            found[stop] = where[c] * channels + first + c
            current[stop] = total[c]
            if total[c] > highest:
                top, highest = stop, total[c]
            stop += total[c] > 0
        if stop == start:
            values = strongest if location == FIELD else total  # no sum over a field is below 0
            channel = 0
            for c in range(1, m):
                channel = c if values[c] > values[channel] else channel
            found[start], current[start] = where[channel] * channels + first + channel, total[channel]
            stop = start + 1
        spans[i, 0], spans[i, 1], best[i] = start, stop, top


@njit(cache=True, nogil=True)
def _center(windows, y, x, height, width):  # type: ignore[no-untyped-def]
    """The cell of the input under the middle of the filter, or the nearest to it."""
    rows, columns, sy, sx, py, px, dy, dx = windows
    row, column = y * sy - py + dy * (rows - 1) // 2, x * sx - px + dx * (columns - 1) // 2
    return min(max(row, 0), height - 1) * width + min(max(column, 0), width - 1)


@njit(cache=True, nogil=True)
def _add(field, filters, tap, row, column, count, first, total):  # type: ignore[no-untyped-def]
    """Add up each channel's products."""
    m = total.size
    for k in range(count):
        x, w = field[row[k], column[k], first : first + m], filters[tap[k]]
        for c in range(m):
            total[c] += x[c] * w[c]


@njit(cache=True, nogil=True)
def _add_positive(field, filters, tap, row, column, count, first, total, strongest, where):  # type: ignore[no-untyped-def]
    """Add up each channel's positive products, and keep its strongest one and where that is."""
    width, m = field.shape[1], total.size
    for k in range(count):
        place = np.int32(row[k] * width + column[k])
        x, w = field[row[k], column[k], first : first + m], filters[tap[k]]
        for c in range(m):
            product = x[c] * w[c]
            total[c] += max(product, 0)
            above = product > strongest[c]
            strongest[c] = product if above else strongest[c]
            where[c] = place if above else where[c]


@njit(cache=True, nogil=True)
def _add_and_follow(field, filters, tap, row, column, count, first, total, strongest, where):  # type: ignore[no-untyped-def]
    """Add up each channel's products, and keep its strongest one and where that is; three taps at a time."""
    width, m = field.shape[1], total.size
    done = 0
    while done + 3 <= count:
        _add_three(field, filters, tap, row, column, done, first, total, strongest, where)
        done += 3
    for k in range(done, count):
        place = np.int32(row[k] * width + column[k])
        x, w = field[row[k], column[k], first : first + m], filters[tap[k]]
        for c in range(m):
            product = x[c] * w[c]
            total[c] += product
            above = product > strongest[c]
            strongest[c] = product if above else strongest[c]
            where[c] = place if above else where[c]


@njit(cache=True, nogil=True)
def _add_three(field, filters, tap, row, column, k, first, total, strongest, where):  # type: ignore[no-untyped-def]
    """Take three taps from ``k`` on into the sums and the strongest products in one pass over the channels."""
    width, m = field.shape[1], total.size
    p0 = np.int32(row[k] * width + column[k])
    p1 = np.int32(row[k + 1] * width + column[k + 1])
    p2 = np.int32(row[k + 2] * width + column[k + 2])
    x0, w0 = field[row[k], column[k], first : first + m], filters[tap[k]]
    x1, w1 = field[row[k + 1], column[k + 1], first : first + m], filters[tap[k + 1]]
    x2, w2 = field[row[k + 2], column[k + 2], first : first + m], filters[tap[k + 2]]
    for c in range(m):
        a, b, d = x0[c] * w0[c], x1[c] * w1[c], x2[c] * w2[c]
        total[c] = total[c] + a + b + d
        highest, place = strongest[c], where[c]
        place = p0 if a > highest else place
        highest = a if a > highest else highest
        place = p1 if b > highest else place
        highest = b if b > highest else highest
        place = p2 if d > highest else place
        highest = d if d > highest else highest
        strongest[c], where[c] = highest, place


@njit(cache=True, nogil=True)
def _expand(field, weight, place, chosen, shares, out_width, windows, groups):  # type: ignore[no-untyped-def]
    """The neurons of the field that one Θ's chosen channels stand for, each with its part of their shares.

    A channel's share is divided in proportion to its positive products; without any it stays at its strongest product.
    """
    height, width, channels = field.shape
    outputs, taps, m = weight.shape
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    output, location = place % outputs, place // outputs
    first = (output // (outputs // groups)) * m
    count = _taps(windows, location // out_width, location % out_width, height, width, tap, row, column)
    found, parts = (
        np.empty(chosen.size * max(count, 1), np.int32),
        np.empty((chosen.size * max(count, 1), shares.shape[1])),
    )
    size = 0
    for i in range(chosen.size):
        channel = chosen[i] % channels
        total = 0.0
        for k in range(count):
            total += max(field[row[k], column[k], channel] * weight[output, tap[k], channel - first], 0)
        if total <= 0:
            found[size], parts[size] = chosen[i], shares[i]
            size += 1
            continue
        for k in range(count):
            product = field[row[k], column[k], channel] * weight[output, tap[k], channel - first]
            if product > 0:
                found[size] = (row[k] * width + column[k]) * channels + channel
                for t in range(shares.shape[1]):
                    parts[size, t] = max(shares[i, t] * (product / total), TINY) if shares[i, t] > 0 else 0.0
                size += 1
    return found[:size], parts[:size]


@njit(cache=True, nogil=True, fastmath=FAST)
def _largest_sums(field, weight, index, order, out_width, windows, groups):  # type: ignore[no-untyped-def]
    """The largest sum over taps of a channel's products with the filter, for each neuron.

    Every inner loop runs over channels, whole vectors at a time; numba vectorises slices, not offsets.
    """
    height, width, channels = field.shape
    outputs, taps, m = weight.shape
    inputs, filters = field.reshape(-1), weight.reshape(-1)
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    total = np.empty(m, field.dtype)
    largest = np.empty(index.size, field.dtype)
    for i in order:
        output, location = index[i] % outputs, index[i] // outputs
        count = _taps(windows, location // out_width, location % out_width, height, width, tap, row, column)
        first = (output // (outputs // groups)) * m
        for k in range(count):
            row[k] = (row[k] * width + column[k]) * channels + first
            tap[k] = (output * taps + tap[k]) * m
        if count == 1:
            largest[i] = largest_product(inputs[row[0] : row[0] + m], filters[tap[0] : tap[0] + m])
        elif count == 9:
            largest[i] = _largest_sum_of_nine(inputs, filters, row, tap, m)
        else:
            total[:] = 0
            for k in range(count):
                x, w = inputs[row[k] : row[k] + m], filters[tap[k] : tap[k] + m]
                for c in range(m):
                    total[c] += x[c] * w[c]
            largest[i] = maximum(total, m)
    return largest


@njit(cache=True, nogil=True)
def _sums_of_one_channel(field, weight, index, out_width, windows, groups):  # type: ignore[no-untyped-def]
    """What :func:`_largest_sums` comes to where filters take one channel, by ascending places."""
    height, width, _ = field.shape
    outputs, taps = weight.shape
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    sums = np.zeros(index.size, field.dtype)
    location, start, count, group_outputs = -1, 0, 0, outputs // groups
    for i in range(index.size):
        if index[i] - start >= outputs or location < 0:
            location = index[i] // outputs
            start = location * outputs
            count = _taps(windows, location // out_width, location % out_width, height, width, tap, row, column)
        output = index[i] - start
        channel = output // group_outputs
        for k in range(count):
            sums[i] += field[row[k], column[k], channel] * weight[output, tap[k]]
    return sums


@njit(cache=True, nogil=True, fastmath=FAST)
def _largest_sum_of_nine(inputs, filters, row, tap, m):  # type: ignore[no-untyped-def]
    """As the loop over taps, in one pass: nearly every filter of more than one tap is 3 x 3."""
    x0, w0 = inputs[row[0] : row[0] + m], filters[tap[0] : tap[0] + m]
    x1, w1 = inputs[row[1] : row[1] + m], filters[tap[1] : tap[1] + m]
    x2, w2 = inputs[row[2] : row[2] + m], filters[tap[2] : tap[2] + m]
    x3, w3 = inputs[row[3] : row[3] + m], filters[tap[3] : tap[3] + m]
    x4, w4 = inputs[row[4] : row[4] + m], filters[tap[4] : tap[4] + m]
    x5, w5 = inputs[row[5] : row[5] + m], filters[tap[5] : tap[5] + m]
    x6, w6 = inputs[row[6] : row[6] + m], filters[tap[6] : tap[6] + m]
    x7, w7 = inputs[row[7] : row[7] + m], filters[tap[7] : tap[7] + m]
    x8, w8 = inputs[row[8] : row[8] + m], filters[tap[8] : tap[8] + m]
    largest = inputs.dtype.type(-np.inf)
    for c in range(m):
        first = x0[c] * w0[c] + x1[c] * w1[c] + x2[c] * w2[c]
        second = x3[c] * w3[c] + x4[c] * w4[c] + x5[c] * w5[c]
        third = x6[c] * w6[c] + x7[c] * w7[c] + x8[c] * w8[c]
        largest = larger(largest, first + second + third)
    return largest


@njit(cache=True, nogil=True, fastmath=FAST)
def _bounds(field, norms, index, out_width, windows, groups):  # type: ignore[no-untyped-def]
    """For each neuron, the largest of its channels' norms in the field times in the filter; ``index`` ascends."""
    height, width, _ = field.shape
    outputs, m = norms.shape
    taps = windows[0] * windows[1]
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    energy = np.empty(m, field.dtype)
    bounds = np.empty(index.size, field.dtype)
    place = -1
    for i in range(index.size):
        output, location = index[i] % outputs, index[i] // outputs
        group = output // (outputs // groups)
        if location * groups + group != place:
            place = location * groups + group
            count = _taps(windows, location // out_width, location % out_width, height, width, tap, row, column)
            energy[:] = 0
            for k in range(count):
                x = field[row[k], column[k], group * m : group * m + m]
                for c in range(m):
                    energy[c] += x[c] * x[c]
            for c in range(m):
                energy[c] = np.sqrt(energy[c])
        bounds[i] = largest_product(energy, norms[output])
    return bounds
