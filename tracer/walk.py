"""Algorithm 1, layer by layer: from the class back to where the evidence is read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tracer.config import Depth, TraceConfig
from tracer.cuts import Cut, cut_at, find_cuts
from tracer.errors import UnsupportedOperatorError
from tracer.network import Network, Operation, to_numpy
from tracer.neurons import Index, Neurons, Slots, hand_over, union
from tracer.rules import Rule, rule_of
from tracer.rules.base import Values
from tracer.selection import Supports


class Plan:
    """A network with the rule of every operation that a trace may pass.

    Args:
        network: The graph.

    Raises:
        UnsupportedOperatorError: If an operator that a trace may pass has no rule.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rules: dict[Operation, Rule] = {}
        pending = [network.output]
        while pending:
            operation = pending.pop()
            if operation is not network.image and operation not in self.rules:
                self.rules[operation] = rule_of(operation)
                pending += self.rules[operation].inputs
        inputs = {operation: rule.inputs for operation, rule in self.rules.items()}
        self.cuts: Sequence[Cut] = find_cuts(network.output, network.image, network.operations, inputs)
        """Where the evidence can be read, from the image to the class."""
        self._cut_at: dict[Depth, Cut] = {}

    def cut(self, depth: Depth) -> Cut:
        """The cut at a depth.

        Raises:
            DepthError: If the network has no such cut.
        """
        if depth not in self._cut_at:
            self._cut_at[depth] = cut_at(depth, self.cuts)
        return self._cut_at[depth]

    @cached_property
    def head(self) -> Operation:
        """The last layer with weights, one set of them a class.

        Raises:
            UnsupportedOperatorError: If the class scores do not come from such a layer.
        """
        operation = self.network.output
        while operation in self.rules and self.rules[operation].weight is None:
            operation = self.rules[operation].inputs[0]
        rule = self.rules.get(operation)
        if rule is None or rule.weight is None or len(rule.weight) != self.network.output.shape[0]:
            raise UnsupportedOperatorError(
                f"{operation.place} does not have one set of weights a class, so classes cannot be contrasted; "
                "write contrast: none"
            )
        return operation

    def forward(self, batch: Tensor, reads: Collection[Operation]) -> tuple[Tensor, "Activations"]:
        """Class scores, shape (b, classes), and the activations that the rules read on the way to some cuts.

        Args:
            batch: Images, shape (b, 3, h, w).
            reads: The operations at which the evidence will be read.
        """
        order = self.network.operations
        first = min(order.index(read) for read in reads)
        walked = {*order[first:], *self._deciding_support(order[first])}
        kept = {read for operation, rule in self.rules.items() if operation in walked for read in rule.reads}
        scores, tensors = self.network.run(batch, kept)
        return scores, Activations(tensors, len(batch))

    def _deciding_support(self, operation: Operation) -> set[Operation]:
        """The operations that decide an operation's Z_pre: itself, and those whose Z_pre is handed on to it."""
        deciding: set[Operation] = set()
        pending = [operation]
        while pending:
            operation = pending.pop()
            if operation in self.rules and operation not in deciding:
                deciding.add(operation)
                pending += self.rules[operation].supporters
        return deciding


class Activations:
    """The activations of a batch, as tensors where the network is and as arrays.

    Args:
        tensors: By operation, shape (b, *operation.shape).
        images: b, how many images the batch holds.
    """

    def __init__(self, tensors: Mapping[Operation, Tensor], images: int) -> None:
        self.images = images
        self._tensors = tensors
        self._stored: dict[Operation, Values] = {}

    def tensor(self, operation: Operation) -> Tensor:
        """The activation as the network left it, shape (b, *operation.shape)."""
        return self._tensors[operation]

    def stored(self, operation: Operation) -> Values:
        """Channels last for maps, shape (b, height, width, channels); else (b, length)."""
        if operation not in self._stored:
            tensor = self._tensors[operation]
            self._stored[operation] = to_numpy(tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor)
        return self._stored[operation]

    def logical(self, operation: Operation, image: int) -> Values:
        """One image's activation in the shape that the model gives it, contiguous."""
        return to_numpy(self._tensors[operation][image])


class ImageWalk:
    """The walk over one image with all its tracks; what the rules see of it is :class:`tracer.rules.Walk`.

    Args:
        plan: The network and its rules.
        activations: The batch's activations.
        image: Number of the image in the batch.
        target: Index of the class to explain.
        probabilities: Of every class, shape (classes,).
        config: How to walk.
        alphas: Returns α_cur, α_suc, α_pre of each track in a layer, shape (tracks, 3).
    """

    def __init__(
        self,
        plan: Plan,
        activations: Activations,
        image: int,
        target: int,
        probabilities: NDArray[np.float64],
        config: TraceConfig,
        alphas: Callable[[str], NDArray[np.float64]],
    ) -> None:
        self.config = config.resolved
        self._plan = plan
        self._activations = activations
        self._image = image
        self._target = target
        self._probabilities = probabilities
        self._alphas = alphas
        self.slots = Slots(max(operation.size for operation in plan.network.operations))
        self._supports: dict[Operation, Supports] = {}

    def stored(self, operation: Operation) -> Values:
        """The activation, channels last for a map."""
        values: Values = self._activations.stored(operation)[self._image]
        return values

    def logical(self, operation: Operation) -> Values:
        """The activation in the shape that the model gives it."""
        return self._activations.logical(operation, self._image)

    def support(self, operation: Operation, index: Index) -> Values:
        """Z_pre of an operation's neurons at ascending places; 0 for the image, which nothing precedes."""
        if operation is self._plan.network.image:
            return np.zeros(len(index), np.float32)
        return self._plan.rules[operation].support(index, self)

    def support_bound(self, operation: Operation) -> Callable[[Index], Values] | None:
        """Upper bounds of an operation's Z_pre; ``None`` where it is cheap."""
        if operation is self._plan.network.image:
            return None
        return self._plan.rules[operation].support_bound(self)

    def supports(self, operation: Operation) -> Supports:
        """Z_pre of an operation's neurons as far as it is known."""
        if operation not in self._supports:
            dtype = self.stored(operation).dtype
            self._supports[operation] = Supports(
                operation.size, lambda index: self.support(operation, index), self.support_bound(operation), dtype
            )
        return self._supports[operation]

    def alphas(self, operation: Operation) -> NDArray[np.float64]:
        """α_cur, α_suc, α_pre of each track in the operation's layer, shape (tracks, 3)."""
        return self._alphas(operation.layer)

    def weight(self, rule: Rule) -> Values:
        """A layer's weights; in the last layer, those of the class are less what the contrast subtracts."""
        assert rule.weight is not None
        if self.config.contrast == "none" or rule.operation is not self._plan.head:
            return rule.weight
        return self._contrasted

    @cached_property
    def _contrasted(self) -> Values:
        weight = self._plan.rules[self._plan.head].weight
        assert weight is not None
        parts = np.full(len(weight), 1 / len(weight))
        if self.config.contrast == "others":
            parts = self._probabilities.copy()
            parts[self._target] = 0
            parts /= max(parts.sum(), np.finfo(np.float64).tiny)
        contrasted = weight.copy()
        contrasted[self._target] -= np.tensordot(parts, weight, axes=1).astype(weight.dtype)
        return contrasted

    def run(
        self,
        tracks: int,
        reads: Collection[Operation],
        visit: Callable[[Operation, Neurons], None] | None = None,
    ) -> dict[Operation, Neurons]:
        """The neurons that explain the class at each cut that is read; the walk ends at the last of them.

        Args:
            tracks: Number of tracks.
            reads: Cuts of the network.
            visit: Called with each operation and its selected neurons, from the class towards the image.
        """
        start = Neurons(np.array([self._target], np.int32), np.ones((1, tracks)))
        pending: dict[Operation, list[Neurons]] = {self._plan.network.output: [start]}
        found: dict[Operation, Neurons] = {}
        for operation in reversed(self._plan.network.operations):
            if operation not in pending:
                continue
            selected = union(pending.pop(operation), self.slots)
            self._supports.pop(operation, None)  # all who choose among its neurons have chosen
            if visit is not None:
                visit(operation, selected)
            if operation in reads:
                found[operation] = selected
                if len(found) == len(reads):
                    return found
            rule = self._plan.rules[operation]
            chosen = (
                rule.trace(selected, self) if len(selected.index) else zip(rule.inputs, repeat(selected), strict=False)
            )
            for source, neurons in chosen:
                pending.setdefault(source, []).append(neurons)
        raise AssertionError("a cut that is read was not reached")

    def cells(self, operation: Operation, neurons: Neurons) -> Neurons:
        """The cells of a map that neurons lie in, numbered row by row, with the shares of all channels added up."""
        return hand_over(neurons.index // operation.shape[0], neurons.shares, self.slots)
