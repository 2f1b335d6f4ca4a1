"""Operators whose result at a place depends on the input at that place: the trace passes them by."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from tracer.errors import UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import Index, Neurons
from tracer.rules.base import DenseWalk, Rule, Values, Walk, rule

aten = torch.ops.aten


@rule(
    aten.relu.default,
    aten.relu6.default,
    aten.hardtanh.default,
    aten.leaky_relu.default,
    aten.rrelu_with_noise.default,
    aten.prelu.default,
    aten.elu.default,
    aten.selu.default,
    aten.celu.default,
    aten.silu.default,
    aten.mish.default,
    aten.gelu.default,
    aten.softplus.default,
    aten.sigmoid.default,
    aten.tanh.default,
    aten.hardswish.default,
    aten.hardsigmoid.default,
    aten.square.default,
    aten.pow.Tensor_Scalar,
    aten.clamp.default,
    aten.clamp_min.default,
    aten.dropout.default,
    aten.clone.default,
    aten.contiguous.default,
    aten.alias.default,
    aten.detach.default,
    aten._to_copy.default,
    aten.softmax.int,
    aten._softmax.default,
    aten.log_softmax.int,
    aten._log_softmax.default,
    aten._native_batch_norm_legit_no_training.default,
    aten.layer_norm.default,
    aten.group_norm.default,
    aten.native_group_norm.default,
    aten.instance_norm.default,
    aten.sub.Tensor,
    aten.sub.Scalar,
    aten.add.Scalar,
    aten.mul.Scalar,
    aten.div.Scalar,
    aten.div.Tensor,
    aten.neg.default,
)
class Elementwise(Rule):
    """A neuron goes on to the neuron at its own place of the first operand; normalisations count as activations.

    A quotient follows its numerator (local response normalisation), a difference its first operand.
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        first = self.inputs[0] if self.inputs else None
        if first is None or first.shape != operation.shape:
            raise UnsupportedOperatorError(
                f"{operation.place} changes the shape of its first operand, which no elementwise operator does"
            )

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        yield self.inputs[0], selected

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        yield self.inputs[0], shares

    def support(self, index: Index, walk: Walk) -> Values:
        return walk.support(self.inputs[0], index)

    def support_bound(self, walk: Walk) -> Callable[[Index], Values] | None:
        return walk.support_bound(self.inputs[0])
