"""Excitation backpropagation by whole layers: what the walk comes to where every set holds all positive evidence.

Where each neuron shares among *all* its positive evidence, sets are nearly whole layers, and following them neuron by
neuron wastes what a processor is good at. Two operators a layer do the same for a whole batch, wherever the network is:
the evidence is the layer applied to its positive products alone, and its transpose hands the shares back.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracer.config import TraceConfig
from tracer.network import Operation
from tracer.neurons import Neurons, stored_shape
from tracer.rules import Rule
from tracer.walk import Activations, ImageWalk, Plan


class DenseWalk:
    """The walk over a batch; what the rules see of it is :class:`tracer.rules.DenseWalk`.

    Args:
        plan: The network and its rules.
        activations: The batch's activations.
        explained: Numbers of images in the batch, each with a class to explain; n of them.
        probabilities: Of every class, shape (b, classes).
        config: How to walk; its ``dense`` is true.
    """

    def __init__(
        self,
        plan: Plan,
        activations: Activations,
        explained: Sequence[tuple[int, int]],
        probabilities: NDArray[np.float64],
        config: TraceConfig,
    ) -> None:
        self._plan = plan
        self._activations = activations
        self._explained = explained
        images = [image for image, _ in explained]
        self._images = None if images == list(range(activations.images)) else torch.tensor(images)
        self._probabilities = probabilities
        self._config = config
        self._walks: dict[int, ImageWalk] = {}
        # Half precision cannot hold a share of a large layer: its smallest number is 6e-8.
        self._dtype = torch.promote_types(plan.network.dtype, torch.float32)

    def tensor(self, operation: Operation) -> Tensor:
        """The activation of each image explained, shape (n, *operation.shape), in float32 or better."""
        values = self._activations.tensor(operation).to(self._dtype)
        return values if self._images is None else values[self._images]

    def trace_sparsely(self, rule: Rule, shares: Tensor) -> Iterable[tuple[Operation, Tensor]]:
        """What a rule's ``trace`` makes of shares, neuron by neuron."""
        given: dict[Operation, Tensor] = {}
        for number in torch.nonzero(shares.flatten(1).any(dim=1)).flatten().tolist():
            for source, neurons in rule.trace(_neurons(shares[number]), self._walk(number)):
                total = given.setdefault(source, shares.new_zeros(len(shares), *source.shape))
                total[number] += _tensor(source, neurons).to(total)
        return given.items()

    def run(self, reads: Collection[Operation]) -> dict[Operation, Tensor]:
        """The shares of the cells of each map that is read, shape (n, rows, columns), in float32 or better.

        Args:
            reads: Cuts of the network; the walk ends at the last of them.
        """
        network = self._plan.network
        start = torch.zeros(len(self._explained), *network.output.shape, device=network.device, dtype=self._dtype)
        start[torch.arange(len(start)), torch.tensor([target for _, target in self._explained])] = 1
        pending = {network.output: start}
        found: dict[Operation, Tensor] = {}
        with torch.inference_mode():
            for operation in reversed(network.operations):
                if operation not in pending:
                    continue
                shares = pending.pop(operation)
                if operation in reads:
                    found[operation] = shares.sum(dim=1, dtype=torch.promote_types(shares.dtype, torch.float32))
                    if len(found) == len(reads):
                        break
                for source, given in self._distribute(operation, shares):
                    pending[source] = pending[source] + given if source in pending else given
        lost = [read for read in reads if read not in found]  # by then, no neuron had any positive evidence
        return found | {read: start.new_zeros(len(start), *read.shape[1:]) for read in lost}

    def _distribute(self, operation: Operation, shares: Tensor) -> Iterable[tuple[Operation, Tensor]]:
        rule = self._plan.rules[operation]
        if self._config.contrast != "none" and operation is self._plan.head:
            return self.trace_sparsely(rule, shares)  # its weights are an image's own, and its neurons are few
        return rule.distribute(shares, self)

    def _walk(self, number: int) -> ImageWalk:
        if number not in self._walks:
            image, target = self._explained[number]
            self._walks[number] = ImageWalk(
                self._plan, self._activations, image, target, self._probabilities[image], self._config,
                lambda _: np.ones((1, 3)),
            )  # fmt: skip
        return self._walks[number]


def _neurons(shares: Tensor) -> Neurons:
    """The neurons of one image that have a share, as one track."""
    stored = shares.permute(1, 2, 0) if shares.ndim == 3 else shares
    values = stored.reshape(-1).double().cpu().numpy()
    index = np.flatnonzero(values).astype(np.int32)
    return Neurons(index, values[index, None])


def _tensor(operation: Operation, neurons: Neurons) -> Tensor:
    """The shares of one track, in the shape that the model gives the operation's result."""
    values = np.zeros(operation.size)
    values[neurons.index] = neurons.shares[:, 0]
    stored = torch.from_numpy(values).reshape(stored_shape(operation.shape))
    return stored.permute(2, 0, 1) if stored.ndim == 3 else stored
