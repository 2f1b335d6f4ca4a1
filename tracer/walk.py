"""Algorithm 1, layer by layer: from the class back to the image."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from tracer.config import TraceConfig
from tracer.network import Network, Operation, to_numpy
from tracer.neurons import Index, Neurons, Slots, union
from tracer.rules import Rule, rule_of
from tracer.rules.base import Values
from tracer.selection import Supports


class Plan:
    """A network with the rule of every operation that a trace may pass.

    Args:
        module: The user's network.
        size: Height and width of its images.
        config: How to trace.

    Raises:
        ExportError: If the network cannot be captured.
        UnsupportedOperatorError: If an operator that a trace may pass has no rule.
    """

    def __init__(self, module: nn.Module, size: tuple[int, int], config: TraceConfig) -> None:
        self.network = Network(module, size)
        self.config = config
        self.rules: dict[Operation, Rule] = {}
        pending = [self.network.output]
        while pending:
            operation = pending.pop()
            if operation is not self.network.image and operation not in self.rules:
                self.rules[operation] = rule_of(operation, config)
                pending += self.rules[operation].inputs
        self.reads = {read for rule in self.rules.values() for read in rule.reads}

    def forward(self, batch: Tensor) -> tuple[Tensor, "Activations"]:
        """Class scores, shape (b, classes), and the activations that the rules read."""
        scores, tensors = self.network.run(batch, self.reads)
        return scores, Activations(tensors)


class Activations:
    """The activations of a batch, as arrays."""

    def __init__(self, tensors: Mapping[Operation, Tensor]) -> None:
        self._tensors = tensors
        self._stored: dict[Operation, Values] = {}

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
        alphas: Returns α_cur, α_suc, α_pre of each track in a layer, shape (tracks, 3).
    """

    def __init__(
        self, plan: Plan, activations: Activations, image: int, alphas: Callable[[str], NDArray[np.float64]]
    ) -> None:
        self.config = plan.config
        self._plan = plan
        self._activations = activations
        self._image = image
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
        """The weights of each track in the operation's layer."""
        return self._alphas(operation.layer)

    def run(self, target: int, tracks: int, visit: Callable[[Operation, Neurons], None] | None = None) -> Neurons:
        """The neurons of the image that explain a class.

        Args:
            target: Index of the class.
            tracks: Number of tracks.
            visit: Called with each operation and its selected neurons, from the class to the image.
        """
        network = self._plan.network
        start = Neurons(np.array([target], np.int32), np.ones((1, tracks)))
        pending: dict[Operation, list[Neurons]] = {network.output: [start]}
        for operation in reversed(network.operations):
            if operation not in pending:
                continue
            selected = union(pending.pop(operation), self.slots)
            self._supports.pop(operation, None)  # all who choose among its neurons have chosen
            if visit is not None:
                visit(operation, selected)
            if operation is network.image:
                return selected
            for source, neurons in self._plan.rules[operation].trace(selected, self):
                pending.setdefault(source, []).append(neurons)
        raise AssertionError("the class does not depend on the image")
