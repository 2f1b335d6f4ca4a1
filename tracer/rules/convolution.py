"""Convolutions: the Hadamard product of the receptive field and the filter, summed over its locations (Section 3.1)."""

from collections.abc import Iterable

import numpy as np
import torch
from numba import njit

from tracer.config import TraceConfig
from tracer.network import Operation, to_numpy
from tracer.neurons import Index, Neurons
from tracer.rules.base import Rule, Values, Walk, rule
from tracer.rules.windows import Windows, pair
from tracer.selection import Candidates, select

aten = torch.ops.aten

BLOCK = 16
"""Channels whose products are bounded together."""
SLACK = 1 + 1e-4
"""Bounds are raised by this factor, so that their rounding decides nothing."""


@rule(aten.conv2d.default, aten.conv2d.padding)
class Convolution(Rule):
    """One candidate an input channel of Θ's group, at the strongest product's location or at the field's centre.

    Z_cur of a channel is the sum of its products with the filter over the field. Z_pre of a neuron is the largest such
    sum over the channels of what produced it (Eq. 3). Padding never wins.
    """

    def __init__(self, operation: Operation, config: TraceConfig) -> None:
        super().__init__(operation, config)
        weight, stride, padding, dilation, self.groups = _arguments(operation)
        self.windows = Windows(weight.shape[2:], stride, padding, dilation).as_array()
        outputs, self.width, rows, columns = weight.shape
        self.weight = to_numpy(weight.permute(0, 2, 3, 1)).reshape(outputs, rows * columns, self.width)
        self._bounds: tuple[Values, Values] | None = None

    @property
    def reads(self) -> tuple[Operation, ...]:
        return self.inputs

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        (image,) = self.inputs
        field = walk.stored(image)

        def candidates(index: Index) -> Candidates:
            found = Candidates.empty(len(index), self.width, field.dtype)
            _list_candidates(
                field, self.weight, index, self.operation.shape[2], self.windows, self.groups,
                walk.config.location == "peak", found.index, found.current, found.filled, found.best,
            )  # fmt: skip
            return found

        yield (
            image,
            select(
                selected,
                self.width,
                candidates,
                walk.supports(image),
                walk.alphas(self.operation),
                literal=walk.config.successor == "paper",
                selection=walk.config.convolution,
            ),
        )

    def support(self, index: Index, walk: Walk) -> Values:
        field = walk.stored(self.inputs[0])
        positive, signed = self._filter_norms()
        norms = positive if field.min() >= 0 else signed
        return _largest_sums(field, self.weight, norms, index, self.operation.shape[2], self.windows, self.groups)

    def _filter_norms(self) -> tuple[Values, Values]:
        """Largest norm of the filters over each block of channels, shape (outputs, blocks): of the positive parts (what
        counts where activations are not negative), and of the filters as they are."""
        if self._bounds is None:
            self._bounds = (_block_norms(np.maximum(self.weight, 0)), _block_norms(self.weight))
        return self._bounds


def _arguments(
    operation: Operation,
) -> tuple[torch.Tensor, tuple[int, int], tuple[int, int], tuple[int, int], int]:
    """Weight, stride, padding, dilation and groups, with the defaults that the graph leaves out."""
    arguments = dict(zip(("image", "weight", "bias", "stride", "padding", "dilation", "groups"), operation.args))
    arguments |= operation.kwargs
    weight = arguments["weight"]
    dilation = pair(arguments.get("dilation", 1))
    padding = arguments.get("padding", 0)
    if padding == "same":
        padding = [step * (extent - 1) // 2 for step, extent in zip(dilation, weight.shape[2:])]
    elif padding == "valid":
        padding = 0
    return weight, pair(arguments.get("stride", 1)), pair(padding), dilation, arguments.get("groups", 1)


def _block_norms(weight: Values) -> Values:
    norms = np.sqrt(np.square(weight).sum(axis=1))
    blocks = -(-norms.shape[1] // BLOCK)
    padded = np.zeros((len(norms), blocks * BLOCK), norms.dtype)
    padded[:, : norms.shape[1]] = norms
    return np.ascontiguousarray(padded.reshape(len(norms), blocks, BLOCK).max(axis=2) * SLACK)


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
    field, weight, index, out_width, windows, groups, peak, found, current, filled, best
):
    height, width, channels = field.shape
    outputs, taps, m = weight.shape
    group_outputs = outputs // groups
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    total = np.empty(m, field.dtype)
    strongest = np.empty(m, field.dtype)
    where = np.empty(m, np.int32)
    location = -1
    count = 0
    center = 0
    for i in range(index.size):
        if index[i] // outputs != location:
            location = index[i] // outputs
            y, x = location // out_width, location % out_width
            count = _taps(windows, y, x, height, width, tap, row, column)
            r = y * windows[2] - windows[4] + windows[6] * (windows[0] - 1) // 2
            c = x * windows[3] - windows[5] + windows[7] * (windows[1] - 1) // 2
            center = min(max(r, 0), height - 1) * width + min(max(c, 0), width - 1)
        output = index[i] % outputs
        first = (output // group_outputs) * m
        for c in range(m):
            total[c] = 0
            strongest[c] = -np.inf
            where[c] = center
        for k in range(count):
            place = np.int32(row[k] * width + column[k])
            values = field[row[k], column[k], first : first + m]
            filters = weight[output, tap[k]]
            if peak:
                for c in range(m):
                    product = values[c] * filters[c]
                    total[c] += product
                    above = product > strongest[c]
                    strongest[c] = product if above else strongest[c]
                    where[c] = place if above else where[c]
            else:
                for c in range(m):
                    total[c] += values[c] * filters[c]
        size = 0
        top = 0
        for c in range(m):
            found[i, size] = where[c] * channels + first + c
            current[i, size] = total[c]
            if total[c] > current[i, top]:
                top = size
            size += total[c] > 0
        if size == 0:
            top = 0
            for c in range(1, m):
                if total[c] > total[top]:
                    top = c
            found[i, 0] = where[top] * channels + first + top
            current[i, 0] = total[top]
            top, size = 0, 1
        filled[i], best[i] = size, top


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "contract"})
def _largest_sums(field, weight, norms, index, out_width, windows, groups):  # type: ignore[no-untyped-def]
    """The largest sum over taps of a channel's products with the filter, for each neuron.

    No sum of a block of channels exceeds the product of the largest norms of its fields and of its filters (Cauchy and
    Schwarz), so that most blocks are never computed.
    """
    height, width, _ = field.shape
    outputs, taps, m = weight.shape
    group_outputs = outputs // groups
    blocks = norms.shape[1]
    tap, row, column = np.empty(taps, np.int64), np.empty(taps, np.int64), np.empty(taps, np.int64)
    patch = np.zeros((taps, m), field.dtype)
    squares = np.zeros(blocks * BLOCK, field.dtype)
    energy = np.zeros(blocks, field.dtype)
    bound = np.zeros(blocks, field.dtype)
    total = np.zeros(BLOCK, field.dtype)
    largest = np.empty(index.size, field.dtype)
    place, count = -1, 0
    for i in range(index.size):
        output = index[i] % outputs
        location = index[i] // outputs
        group = output // group_outputs
        if location * groups + group != place:
            place = location * groups + group
            count = _taps(windows, location // out_width, location % out_width, height, width, tap, row, column)
            squares[:] = 0
            for k in range(count):
                values = field[row[k], column[k], group * m : group * m + m]
                for c in range(m):
                    patch[k, c] = values[c]
                    squares[c] += values[c] * values[c]
            for b in range(blocks):
                top = squares[b * BLOCK]
                for c in range(b * BLOCK, b * BLOCK + BLOCK):
                    top = max(top, squares[c])
                energy[b] = np.sqrt(top)
        first = 0
        for b in range(blocks):
            bound[b] = energy[b] * norms[output, b]
        for b in range(blocks):
            if bound[b] > bound[first]:
                first = b
        highest = field.dtype.type(-np.inf)
        for step in range(-1, blocks):
            b = first if step < 0 else step
            if step >= 0 and (b == first or bound[b] <= highest):
                continue
            start = b * BLOCK
            stop = min(start + BLOCK, m)
            if stop - start == BLOCK:
                total[:] = 0
                for k in range(count):
                    filters = weight[output, tap[k], start : start + BLOCK]
                    values = patch[k, start : start + BLOCK]
                    for c in range(BLOCK):
                        total[c] += values[c] * filters[c]
                for c in range(BLOCK):
                    highest = max(highest, total[c])
            else:
                for c in range(start, stop):
                    summed = field.dtype.type(0)
                    for k in range(count):
                        summed += patch[k, c] * weight[output, tap[k], c]
                    highest = max(highest, summed)
        largest[i] = highest
    return largest
