"""What a rule is, and the table that maps operators to rules."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tracer.config import Selection, TraceConfig
from tracer.errors import UnsupportedArchitectureError, UnsupportedOperatorError
from tracer.network import Operation
from tracer.neurons import Index, Neurons, Slots
from tracer.selection import Lister, Supports, select

Values = NDArray[np.floating[Any]]


class Walk(Protocol):
    """The walk over one image, as rules see it."""

    config: TraceConfig
    slots: Slots

    def stored(self, operation: Operation) -> Values:
        """The activation, channels last for a map: shape (height, width, channels) or (length,)."""

    def logical(self, operation: Operation) -> Values:
        """The activation in the shape that the model gives it, contiguous."""

    def support(self, operation: Operation, index: Index) -> Values:
        """Z_pre of an operation's neurons at ascending places, shape (n,)."""

    def support_bound(self, operation: Operation) -> Callable[[Index], Values] | None:
        """Upper bounds of an operation's Z_pre; ``None`` where it is cheap."""

    def supports(self, operation: Operation) -> Supports:
        """Z_pre of an operation's neurons as far as it is known."""

    def alphas(self, operation: Operation) -> NDArray[np.float64]:
        """α_cur, α_suc, α_pre of each track in the operation's layer, shape (tracks, 3)."""

    def weight(self, rule: "Rule") -> Values:
        """The weights of a rule's layer, with what the configured contrast subtracts from those of the class."""


class DenseWalk(Protocol):
    """The walk over a batch by whole layers, as rules see it; every chosen set holds all positive evidence."""

    def tensor(self, operation: Operation) -> Tensor:
        """The activation, shape (b, *operation.shape)."""

    def trace_sparsely(self, rule: "Rule", shares: Tensor) -> Iterable[tuple[Operation, Tensor]]:
        """What the rule's :meth:`Rule.trace` makes of shares, neuron by neuron."""


class Rule(ABC):
    """How one operation is traced. One object an operation: what depends on the network alone is computed once.

    Args:
        operation: The operation.
    """

    weight: Values | None = None
    """The weights of the operator, output by output; ``None`` where it has none."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    @property
    def inputs(self) -> tuple[Operation, ...]:
        """The operations that the trace may go on to."""
        return self.operation.inputs[:1]

    @property
    def reads(self) -> tuple[Operation, ...]:
        """The operations whose activations the rule reads."""
        return ()

    @property
    def supporters(self) -> tuple[Operation, ...]:
        """The operations whose own Z_pre :meth:`support` hands on; where a rule reads activations, none by default."""
        return () if self.reads else self.inputs

    @abstractmethod
    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        """The neurons of the inputs that the selected neurons choose.

        Args:
            selected: Selected neurons of the operation's result.
            walk: The walk over the image.
        """

    def distribute(self, shares: Tensor, walk: DenseWalk) -> Iterable[tuple[Operation, Tensor]]:
        """What :meth:`trace` comes to where every neuron shares among all its positive evidence, in one step.

        Args:
            shares: Of every neuron of the operation's result, shape (b, *operation.shape), at least 0.
            walk: The walk over the batch.

        Returns:
            Inputs of the operation, each with the shares of its neurons, of shape (b, *input.shape).
        """
        return walk.trace_sparsely(self, shares)

    @abstractmethod
    def support(self, index: Index, walk: Walk) -> Values:
        """Z_pre of the operation's neurons (Eq. 3): the largest single term of what produced each, shape (n,).

        Args:
            index: Ascending places of neurons of the operation's result, shape (n,).
            walk: The walk over the image.
        """

    def support_bound(self, walk: Walk) -> Callable[[Index], Values] | None:
        """Upper bounds of what :meth:`support` returns, at a small part of its cost; ``None`` where it is cheap."""
        return None


class SelectingRule(Rule):
    """A rule that only lists candidates: :func:`tracer.selection.select` chooses among them, the same for all."""

    @property
    def reads(self) -> tuple[Operation, ...]:
        return self.inputs

    def trace(self, selected: Neurons, walk: Walk) -> Iterable[tuple[Operation, Neurons]]:
        (source,) = self.inputs
        literal = walk.config.successor == "paper"
        yield (
            source,
            select(
                selected,
                self.lister(walk),
                walk.supports(source),
                walk.alphas(self.operation),
                walk.slots,
                literal=literal,
                selection=self.selection(walk.config),
                by_score=walk.config.share == "score",
                expand=self.expander(walk),
            ),
        )

    def expander(self, walk: Walk) -> Callable[[int, Neurons], Neurons] | None:
        """Turns the neurons that the one at a place chooses into those that they stand for; ``None`` for the same."""
        return None

    @abstractmethod
    def selection(self, config: TraceConfig) -> Selection:
        """How many candidates each selected neuron chooses."""

    @abstractmethod
    def lister(self, walk: Walk) -> Lister:
        """Lists the candidates on the walk's image."""


RuleType = TypeVar("RuleType", bound=type[Rule])

_RULES: dict[Any, type[Rule]] = {}

_ATTENTION = "mixes places by weights that the image itself sets (attention), so no fixed filter leads back to pixels"
_RECURRENT = "carries evidence from step to step of a sequence (a recurrent layer), which the tracer does not follow"

_REFUSED = {
    **dict.fromkeys(("scaled_dot_product_attention", "matmul", "bmm", "baddbmm", "einsum"), _ATTENTION),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _RECURRENT),
}
"""Operators that are refused for what they do, by their names, with the reason."""


def register_rule(target: Any, rule: type[Rule]) -> None:
    """Let a rule trace an operator, in place of the rule that did so before.

    Args:
        target: An ATen overload, such as ``torch.ops.aten.celu.default``.
        rule: A subclass of :class:`Rule`; :class:`tracer.rules.Elementwise` where every neuron depends on its own
            place alone.
    """
    _RULES[target] = rule


def rule(*targets: Any) -> Callable[[RuleType], RuleType]:
    """Register the decorated class as the rule of some operators."""

    def register(cls: RuleType) -> RuleType:
        for target in targets:
            register_rule(target, cls)
        return cls

    return register


def rule_of(operation: Operation) -> Rule:
    """The rule of an operation.

    Raises:
        UnsupportedOperatorError: If its operator has none; names the operator, its place and the mend.
        UnsupportedArchitectureError: If it is one that no rule of this kind can trace, as in attention.
    """
    if operation.target not in _RULES:
        if (reason := _REFUSED.get(operation.target.__name__.partition(".")[0])) is not None:
            raise UnsupportedArchitectureError(f"{operation.place} {reason}; choose a CNN (docs/models.md says why)")
        raise UnsupportedOperatorError(
            f"no rule for {operation.place}; if it acts on every neuron alone, register one: "
            f"from tracer import Elementwise, register_rule; register_rule(torch.ops.{operation.target}, Elementwise)"
        )
    return _RULES[operation.target](operation)


def supported_operators() -> tuple[str, ...]:
    """Names of the operators that have a rule, sorted."""
    return tuple(sorted(str(target) for target in _RULES))
