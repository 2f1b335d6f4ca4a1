"""Section 3 of the paper and the design's readings of it, as plainly as they can be written.

One image, one setting, one neuron at a time. What depends on the activations alone, Z_cur and Z_pre of a neuron, is
remembered, so that several settings of α are quick to check. Neurons are tuples
(channel, row, column) or (index,) in the shape that the model gives an activation. Only the graph and its recorded
activations come from the tracer.
"""

import itertools
import math
import operator
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch

from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.network import Network, Operation

aten = torch.ops.aten
Neuron = tuple[int, ...]
MOVED = (
    "slice",
    "view",
    "_unsafe_view",
    "reshape",
    "permute",
    "transpose",
    "getitem",
    "flatten",
    "constant_pad_nd",
    "pad",
    "squeeze",
    "unsqueeze",
    "expand",
    "select",
    "unbind",
    "upsample_nearest2d",
    "roll",
)
FOLLOWED = (
    "relu",
    "silu",
    "hardswish",
    "gelu",
    "dropout",
    "clone",
    "layer_norm",
    "leaky_relu",
    "hardtanh",
    "div",
    "pow",
    "square",
    "sub",
    "relu6",
    "elu",
    "mish",
    "sigmoid",
    "tanh",
    "hardsigmoid",
    "softplus",
    "clamp",
    "clamp_min",
    "contiguous",
    "alias",
    "prelu",
)


@dataclass
class Candidate:
    """A neuron θ that a selected neuron may choose, with its Z_cur, and what it stands for with the part of each."""

    neuron: Neuron
    current: float
    places: dict[Neuron, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = self.places or {self.neuron: 1.0}


class Oracle:
    """Traces one image through a network."""

    def __init__(self, network: Network, image: torch.Tensor, config: TraceConfig) -> None:
        self.network, self.config, self.alpha = network, config.resolved, Alpha()
        kept = [operation for operation in network.operations if operation.shape]
        self.scores, values = network.run(image[None], kept)
        self.values = {
            operation: values[operation][0].double().numpy()
            for operation in kept
            if isinstance(values[operation], torch.Tensor) and values[operation].ndim > 1
        }
        self.current: dict[tuple[Operation, Neuron, int], list[Candidate]] = {}
        self.pre: dict[tuple[Operation, Neuron], float] = {}
        chosen = (self.config.linear, self.config.flatten, self.config.convolution, self.config.average_pool)
        self.lossy = "positive" in chosen  # a neuron without positive evidence may choose none then
        self.head, self.target = network.output, -1
        while kind_of(self.head) not in ("linear", "conv2d"):
            self.head = self.head.inputs[0]
        self._arguments: dict[Operation, tuple] = {}
        self._moves: dict[Operation, dict[Neuron, Neuron]] = {}

    def run(self, alpha: Alpha, target: int, *reads: Operation) -> list[dict[tuple[int, int], float]]:
        """The share of every point (row, column) of each cut to be read, the walk going as far as the last of them."""
        self.alpha, self.target = alpha, target
        selected: dict[Operation, dict[Neuron, float]] = defaultdict(lambda: defaultdict(float))
        selected[self.network.output][(target,)] = 1.0
        found: dict[Operation, dict[tuple[int, int], float]] = {}
        for operation in reversed(self.network.operations):
            if operation not in selected:
                continue
            neurons = selected.pop(operation)
            if operation in reads:
                assert not selected, f"evidence passes {operation.place} by"
                found[operation] = defaultdict(float)
                for (_, row, column), share in neurons.items():
                    found[operation][row, column] += share
            if len(found) == len(set(reads)):
                break
            for source, chosen in self.step(operation, neurons):
                for neuron, share in chosen:
                    selected[source][neuron] += share
            total = sum(share for layer in selected.values() for share in layer.values())
            assert total < 1 + 1e-9, f"shares sum to {total} before {operation.place}"
            assert self.lossy or total > 1 - 1e-9, f"shares sum to {total} before {operation.place}"
        return [normalised(found.get(read, {})) for read in reads]

    def step(self, operation: Operation, neurons: dict[Neuron, float]):  # noqa: PLR0912
        kind = kind_of(operation)
        inputs = operation.inputs
        if kind == "add":
            branches = [branch for branch in inputs if branch.shape == operation.shape]
            if len(branches) > 1:
                yield from self.add(branches, neurons)
            else:
                yield branches[0], list(neurons.items())
        elif kind == "cat":
            axis = operation.args[1] - 1
            for neuron, share in neurons.items():
                branch, inside = self.branch(inputs, axis, neuron)
                yield branch, [(inside, share)]
        elif kind == "mul":
            whole = [operand for operand in inputs if operand.shape == operation.shape]
            features = [operand for operand in whole if "sigmoid" not in str(operand.target)] or whole
            yield features[0], list(neurons.items())
        elif kind in MOVED:
            source = self.moved_source(operation)
            places = self.moved_places(operation)
            yield source, [(places[neuron], share) for neuron, share in neurons.items()]
        elif kind == "stack":
            for neuron, share in neurons.items():
                source, place = self.stacked(operation, neuron)
                yield source, [(place, share)]
        elif kind == "copy":
            yield operation.args[1], list(neurons.items())
        elif kind in FOLLOWED or "norm" in kind:
            yield inputs[0], list(neurons.items())
        elif kind == "maximum":
            for neuron, share in neurons.items():
                yield self.larger(operation, neuron), [(neuron, share)]
        elif kind == "slice_scatter":
            for neuron, share in neurons.items():
                source, place = self.inserted(operation, neuron)
                yield source, [(place, share)]
        elif kind in ("max_pool2d", "adaptive_max_pool2d"):
            yield inputs[0], [(self.window_maximum(operation, neuron), share) for neuron, share in neurons.items()]
        else:
            yield inputs[0], self.choose(operation, neurons)

    # Selection: Eq. 1, 4, 5

    def choose(self, operation: Operation, neurons: dict[Neuron, float]) -> list[tuple[Neuron, float]]:
        source = operation.inputs[0]
        candidates = {theta: self.candidates(operation, theta) for theta in neurons}
        counter = Counter(max(found, key=lambda c: c.current).neuron for found in candidates.values())
        chosen = []
        for theta, share in neurons.items():
            positive = [candidate for candidate in candidates[theta] if candidate.current > 0]
            selection = self.selection(operation)
            if not positive and selection == "positive":
                continue  # there is none to choose: the share reaches no map
            if not positive:
                positive = [max(candidates[theta], key=lambda c: c.current)]
            omegas = {c.neuron: self.omega(source, c, max(1, counter[c.neuron])) for c in positive}
            if selection == "positive" or len(positive) == 1:
                taken = positive
            else:
                ranked = sorted(positive, key=lambda c: -omegas[c.neuron])
                if isinstance(selection, int):
                    taken = ranked[:selection]
                else:
                    evidence = sum(candidate.current for candidate in positive)
                    taken, held = [], 0.0
                    while held < selection * evidence and len(taken) < len(ranked):
                        taken.append(ranked[len(taken)])
                        held += taken[-1].current
            parts = self.parts([c.current for c in taken], [omegas[c.neuron] for c in taken])
            for candidate, part in zip(taken, parts, strict=True):
                chosen += [(place, share * part * inside) for place, inside in candidate.places.items()]
        return chosen

    def parts(self, currents: list[float], omegas: list[float]) -> list[float]:
        """How a share is divided among the chosen: in proportion to Z_cur, or to Ω where some Ω is positive."""
        if len(currents) == 1:
            return [1.0]
        scores = [max(omega, 0.0) for omega in omegas]
        weights = scores if self.config.share == "score" and sum(scores) > 0 else currents
        return [weight / sum(weights) for weight in weights]

    def omega(self, source: Operation, candidate: Candidate, successors: int) -> float:
        alpha = self.alpha
        support = alpha.cur * candidate.current + alpha.pre * self.support(source, candidate.neuron)
        if self.config.successor == "paper":
            return alpha.suc * successors * support
        return (1 + alpha.suc * (successors - 1)) * support

    def selection(self, operation: Operation):
        kind = kind_of(operation)
        if kind == "conv2d":
            return self.config.convolution
        if kind != "linear":
            return self.config.average_pool
        source = operation.inputs[0]
        if len(source.shape) > 1:
            return self.config.convolution
        while len(source.shape) == 1 and "linear" not in str(source.target):  # back through what moves or activates
            if math.prod(source.inputs[0].shape) != source.shape[0]:
                break
            source = source.inputs[0]
        return self.config.flatten if len(source.shape) == 3 and math.prod(source.shape[1:]) > 1 else self.config.linear

    def add(self, branches: list[Operation], neurons: dict[Neuron, float]):
        for neuron, share in neurons.items():
            values = [self.values[branch][neuron] for branch in branches]
            allowed = [b for b, value in enumerate(values) if value > 0] or [int(np.argmax(values))]
            omegas = {
                b: self.alpha.cur * values[b] + self.alpha.pre * self.support(branches[b], neuron) for b in allowed
            }
            if self.config.convolution != "positive":
                allowed = [max(allowed, key=lambda b: omegas[b])]
            for b, part in zip(
                allowed, self.parts([values[b] for b in allowed], [omegas[b] for b in allowed]), strict=True
            ):
                yield branches[b], [(neuron, share * part)]

    # Z_cur: Eq. 2

    def candidates(self, operation: Operation, theta: Neuron) -> list[Candidate]:
        key = (operation, theta, self.target)  # the target plays a part in a contrast
        if key not in self.current:
            self.current[key] = self.compute_candidates(operation, theta)
        return self.current[key]

    def compute_candidates(self, operation: Operation, theta: Neuron) -> list[Candidate]:
        kind = kind_of(operation)
        values = self.values[operation.inputs[0]]
        if kind == "linear":
            *row, output = theta
            products = values[tuple(row)] * self.filter(operation, output)
            kept = np.flatnonzero(products > 0) if (products > 0).any() else [int(np.argmax(products))]
            return [Candidate((*row, int(c)), float(products[c])) for c in kept]
        if kind == "conv2d":
            first, products, rows, columns = self.products(operation, theta)
            if self.config.location == "field":
                return self.field_candidates(operation, theta)
            sums = products.sum(axis=(1, 2))
            return [
                Candidate((first + c, *self.location(operation, theta, products[c], rows, columns)), float(sums[c]))
                for c in (np.flatnonzero(sums > 0) if (sums > 0).any() else [int(np.argmax(sums))])
            ]
        if kind in ("sum", "mean"):
            terms = self.reduced(operation, theta)
            return [Candidate(place, values[place] / (len(terms) if kind == "mean" else 1)) for place in terms]
        if kind == "upsample_bilinear2d":
            terms = [(place, weight) for place, weight in self.interpolated(operation, theta) if weight > 0]
            return [Candidate(place, values[place] * weight) for place, weight in terms]
        channel = theta[0]
        cells, area = self.average_window(operation, theta)
        return [Candidate((channel, r, c), values[channel, r, c] / area) for r, c in cells]

    def field_candidates(self, operation: Operation, theta: Neuron) -> list[Candidate]:
        """Each channel with a positive product stands for the places of all of these; else the strongest product."""
        first, products, rows, columns = self.products(operation, theta)
        sums = np.maximum(products, 0).sum(axis=(1, 2))
        found = []
        for c in np.flatnonzero(sums > 0):
            strongest = self.location(operation, theta, products[c], rows, columns)
            places = {
                (first + c, rows[i], columns[j]): products[c, i, j] / sums[c]
                for i, j in np.argwhere(products[c] > 0).tolist()
            }
            found.append(Candidate((first + c, *strongest), float(sums[c]), places))
        if not found:
            c = int(np.argmax(products.max(axis=(1, 2)))) if products.size else 0
            found.append(Candidate((first + c, *self.location(operation, theta, products[c], rows, columns)), 0.0))
        return found

    def filter(self, operation: Operation, output: int) -> np.ndarray:
        """The weights of one output; in the last layer, the class's less what the contrast subtracts."""
        weight = operation.args[1].double().numpy()
        if operation is not self.head or output != self.target or self.config.contrast == "none":
            return weight[output]
        parts = np.full(len(weight), 1 / len(weight))
        if self.config.contrast == "others":
            parts = self.scores.double().softmax(1)[0].numpy().copy()
            parts[self.target] = 0
            parts /= parts.sum()
        return weight[output] - np.tensordot(parts, weight, axes=1)

    def products(self, operation: Operation, theta: Neuron, *, contrasted: bool = True):
        """First channel of the group, its Hadamard product (channels, rows, columns), and where that lies."""
        values = self.values[operation.inputs[0]]
        weight, stride, padding, dilation, groups = self.arguments(operation)
        output, y, x = theta
        width = weight.shape[1]
        first = output // (len(weight) // groups) * width
        rows = [(i, y * stride[0] - padding[0] + i * dilation[0]) for i in range(weight.shape[2])]
        columns = [(j, x * stride[1] - padding[1] + j * dilation[1]) for j in range(weight.shape[3])]
        rows = [(i, r) for i, r in rows if 0 <= r < values.shape[1]]
        columns = [(j, c) for j, c in columns if 0 <= c < values.shape[2]]
        field = values[first : first + width][:, [r for _, r in rows]][:, :, [c for _, c in columns]]
        weights = self.filter(operation, output) if contrasted else weight[output]
        filters = weights[:, [i for i, _ in rows]][:, :, [j for j, _ in columns]]
        return first, field * filters, [r for _, r in rows], [c for _, c in columns]

    def arguments(self, operation: Operation):
        if operation not in self._arguments:
            self._arguments[operation] = convolution_arguments(operation)
        return self._arguments[operation]

    def location(self, operation: Operation, theta: Neuron, products: np.ndarray, rows, columns) -> Neuron:
        if self.config.location != "center" and products.size:  # a field that lies in the padding has no products
            row, column = np.unravel_index(np.argmax(products), products.shape)
            return rows[row], columns[column]
        weight, stride, padding, dilation, _ = self.arguments(operation)
        center = []
        for axis in (0, 1):
            place = theta[1 + axis] * stride[axis] - padding[axis] + dilation[axis] * (weight.shape[2 + axis] - 1) // 2
            center.append(min(max(place, 0), operation.inputs[0].shape[1 + axis] - 1))
        return tuple(center)

    # Z_pre: Eq. 3

    def support(self, operation: Operation, neuron: Neuron) -> float:
        if (operation, neuron) not in self.pre:
            self.pre[operation, neuron] = self.compute_support(operation, neuron)
        return self.pre[operation, neuron]

    def compute_support(self, operation: Operation, neuron: Neuron) -> float:  # noqa: PLR0911
        if operation is self.network.image:
            return 0.0
        kind = kind_of(operation)
        inputs = operation.inputs
        if kind == "add":
            branches = [branch for branch in inputs if branch.shape == operation.shape]
            if len(branches) == 1:
                return self.support(branches[0], neuron)
            return max(float(self.values[branch][neuron]) for branch in branches)
        if kind == "cat":
            branch, inside = self.branch(inputs, operation.args[1] - 1, neuron)
            return float(self.values[branch][inside])
        if kind == "mul":
            whole = [operand for operand in inputs if operand.shape == operation.shape]
            features = [operand for operand in whole if "sigmoid" not in str(operand.target)] or whole
            return self.support(features[0], neuron)
        if kind in MOVED:
            return self.support(self.moved_source(operation), self.moved_places(operation)[neuron])
        if kind in FOLLOWED or "norm" in kind or kind == "copy":
            return self.support(operation.args[1] if kind == "copy" else inputs[0], neuron)
        if kind == "maximum":
            return self.support(self.larger(operation, neuron), neuron)
        if kind == "stack":
            return self.support(*self.stacked(operation, neuron))
        if kind == "slice_scatter":
            return self.support(*self.inserted(operation, neuron))
        if kind in ("max_pool2d", "adaptive_max_pool2d"):
            return float(self.values[inputs[0]][self.window_maximum(operation, neuron)])
        if kind == "conv2d":
            return float(self.products(operation, neuron, contrasted=False)[1].sum(axis=(1, 2)).max())
        return max(candidate.current for candidate in self.candidates(operation, neuron))

    # Windows and places

    def average_window(self, operation: Operation, theta: Neuron):
        kind = kind_of(operation)
        height, width = operation.inputs[0].shape[1:]
        _, y, x = theta
        assert kind in ("adaptive_avg_pool2d", "avg_pool2d"), kind
        if kind == "adaptive_avg_pool2d":
            rows, columns = adaptive(height, operation.shape[1], y), adaptive(width, operation.shape[2], x)
            return [(r, c) for r in rows for c in columns], len(rows) * len(columns)
        size, stride, padding = pool_arguments(operation)
        include = operation.args[5] if len(operation.args) > 5 else True
        starts = [place * stride[a] - padding[a] for a, place in enumerate((y, x))]
        rows = [r for r in range(starts[0], starts[0] + size[0]) if 0 <= r < height]
        columns = [c for c in range(starts[1], starts[1] + size[1]) if 0 <= c < width]
        padded = [min(starts[a] + size[a], (height, width)[a] + padding[a]) - starts[a] for a in (0, 1)]
        area = padded[0] * padded[1] if include else len(rows) * len(columns)
        area = operation.args[6] if len(operation.args) > 6 and operation.args[6] else area
        return [(r, c) for r in rows for c in columns], area

    def reduced(self, operation: Operation, theta: Neuron) -> list[Neuron]:
        """The neurons along the axes that a sum or mean reduces."""
        shape = operation.inputs[0].shape
        axes = [axis % (len(shape) + 1) - 1 for axis in operation.args[1]]
        keeps = len(operation.shape) == len(shape)
        kept = [c for axis, c in enumerate(theta) if axis not in axes] if keeps else list(theta)
        ranges = [range(extent) if axis in axes else [kept.pop(0)] for axis, extent in enumerate(shape)]
        return list(itertools.product(*ranges))

    def interpolated(self, operation: Operation, theta: Neuron) -> list[tuple[Neuron, float]]:
        """The places that a bilinear upsampling reads, with their weights."""
        sides = []
        for axis in (0, 1):
            before, after = operation.inputs[0].shape[1 + axis], operation.shape[1 + axis]
            if operation.args[2]:
                at = theta[1 + axis] * (before - 1) / max(after - 1, 1)
            else:
                at = max((theta[1 + axis] + 0.5) * before / after - 0.5, 0)
            low = min(int(at), before - 1)
            parts = Counter({low: 1 - (at - low)})
            parts[min(low + 1, before - 1)] += at - low
            sides.append(sorted(parts.items()))
        return [((theta[0], r, c), a * b) for r, a in sides[0] for c, b in sides[1]]

    def larger(self, operation: Operation, neuron: Neuron) -> Operation:
        """The operand of a maximum that a neuron's value came from."""
        whole = [operand for operand in operation.inputs if operand.shape == operation.shape]
        return max(whole, key=lambda operand: self.values[operand][neuron]) if len(whole) > 1 else whole[0]

    def inserted(self, operation: Operation, neuron: Neuron) -> tuple[Operation, Neuron]:
        """The map, or the part that replaces some of it, that holds a neuron, and its place there."""
        whole, part, axis, start, stop = [*operation.args, None][:5]
        if axis == 0:  # all images of the batch
            return part, neuron
        extent = whole.shape[axis - 1]
        start, stop = start or 0, min(extent if stop is None else stop, extent)
        if not start <= neuron[axis - 1] < stop:
            return whole, neuron
        return part, (*neuron[: axis - 1], neuron[axis - 1] - start, *neuron[axis:])

    def stacked(self, operation: Operation, neuron: Neuron) -> tuple[Operation, Neuron]:
        """The map that a neuron of a stack came from, and its place there."""
        sources, axis = operation.args[0], operation.args[1] - 1
        return sources[neuron[axis]], (*neuron[:axis], *neuron[axis + 1 :])

    def window_maximum(self, operation: Operation, theta: Neuron) -> Neuron:
        values = self.values[operation.inputs[0]]
        channel, y, x = theta
        if operation.target is aten.adaptive_max_pool2d.default:
            rows = adaptive(values.shape[1], operation.shape[1], y)
            columns = adaptive(values.shape[2], operation.shape[2], x)
        else:
            size, stride, padding = pool_arguments(operation)
            dilation = list(operation.args[4]) * 2 if len(operation.args) > 4 else [1, 1]
            rows = [y * stride[0] - padding[0] + i * dilation[0] for i in range(size[0])]
            columns = [x * stride[1] - padding[1] + j * dilation[1] for j in range(size[1])]
        cells = [(r, c) for r in rows for c in columns if 0 <= r < values.shape[1] and 0 <= c < values.shape[2]]
        return (channel, *max(cells, key=lambda cell: values[channel, cell[0], cell[1]]))

    def branch(self, inputs, axis: int, neuron: Neuron) -> tuple[Operation, Neuron]:
        place = neuron[axis]
        for branch in inputs:
            if place < branch.shape[axis]:
                return branch, (*neuron[:axis], place, *neuron[axis + 1 :])
            place -= branch.shape[axis]
        raise AssertionError

    def moved_source(self, operation: Operation) -> Operation:
        source = operation.inputs[0]
        if operation.target is operator.getitem and ("split" in str(source.target) or kind_of(source) == "unbind"):
            return source.inputs[0]
        return source

    def moved_places(self, operation: Operation) -> dict[Neuron, Neuron]:
        if operation not in self._moves:
            source = self.moved_source(operation)
            names = np.empty(source.shape, object)
            for place in np.ndindex(*source.shape):
                names[place] = place
            moved = move(operation, names)
            self._moves[operation] = {place: moved[place] for place in np.ndindex(*operation.shape)}
        return self._moves[operation]


def normalised(shares: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """Each point's part of all that reached the map."""
    return {point: share / sum(shares.values()) for point, share in shares.items()}


def move(operation: Operation, names: np.ndarray) -> np.ndarray:  # noqa: PLR0911
    """What a moving operator does to the names of its input's neurons."""
    kind = kind_of(operation)
    if kind in ("view", "_unsafe_view", "reshape", "flatten", "squeeze", "unsqueeze"):
        return names.reshape(operation.shape)
    if kind == "slice":
        axis, start, stop = operation.args[1:4]
        if axis == 0:
            return names
        return names[(slice(None),) * (axis - 1) + (slice(start, stop),)]
    if kind == "expand":
        return np.broadcast_to(names, operation.shape)
    if kind == "roll":
        return np.roll(names, operation.args[1], [axis - 1 for axis in operation.args[2]])
    if kind == "select":
        return names.take(operation.args[2], axis=operation.args[1] - 1)
    if kind == "upsample_nearest2d":
        rows, columns = (
            [
                int(place * names.shape[1 + axis] / operation.shape[1 + axis])
                for place in range(operation.shape[1 + axis])
            ]
            for axis in (0, 1)
        )
        return names[:, rows][:, :, columns]
    if kind == "permute":
        return names.transpose([axis - 1 for axis in operation.args[1][1:]])
    if kind == "transpose":
        return np.swapaxes(names, operation.args[1] - 1, operation.args[2] - 1)
    if kind in ("constant_pad_nd", "pad"):
        left, right, top, bottom = operation.args[1]
        height, width = names.shape[1:]
        inside = names[:, max(0, -top) : height - max(0, -bottom), max(0, -left) : width - max(0, -right)]
        widths = [tuple(max(0, width) for width in sides) for sides in ((top, bottom), (left, right))]
        mode = operation.named("map", "pad", "mode", "value").get("mode", "constant")
        names_of_modes = {"constant": "edge", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}
        return np.pad(inside, ((0, 0), *widths), mode=names_of_modes[mode])
    assert kind == "getitem"
    split = operation.inputs[0]
    if kind_of(split) == "unbind":
        return names.take(operation.args[1], axis=split.args[1] - 1)
    if "split" not in str(split.target):  # the first of several results
        return names
    axis = split.args[2] - 1 if len(split.args) > 2 else 0
    sizes, part = split.args[1], operation.args[1]
    before = sum(sizes[:part]) if isinstance(sizes, list) else part * sizes
    return names.take(range(before, before + operation.shape[axis]), axis=axis)


def kind_of(operation: Operation) -> str:
    """The operator's name."""
    return operation.target.__name__.split(".")[0]


def two(value) -> list[int]:
    return [value] * 2 if isinstance(value, int) else list(value) * (2 // len(value))


def convolution_arguments(operation: Operation):
    args = [*operation.args, None, None, None, None, None][:7]
    weight = args[1].double().numpy()
    stride, padding, dilation = two(args[3] or 1), args[4] or 0, two(args[5] or 1)
    if padding == "same":
        padding = [dilation[a] * (weight.shape[2 + a] - 1) // 2 for a in (0, 1)]
    return weight, stride, two(padding if padding != "valid" else 0), dilation, args[6] or 1


def pool_arguments(operation: Operation):
    args = [*operation.args, None, None, None][:4]
    size = two(args[1])
    return size, two(args[2] or size), two(args[3] or 0)


def adaptive(extent: int, windows: int, window: int) -> list[int]:
    return list(range(window * extent // windows, math.ceil((window + 1) * extent / windows)))
