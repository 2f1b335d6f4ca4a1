"""The weights of the evidence: how much each layer's support counts (Eq. 1)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, order=True)
class Alpha:
    """Weights of the current, succeeding and preceding layer's support in Eq. 1.

    Only the ratio of ``pre`` to ``cur`` matters to a ranking. ``suc`` weighs the support of the succeeding layer
    above its default of 1 (see :class:`tracer.TraceConfig`, ``successor``).

    Args:
        cur: α_cur, the weight of a neuron's own evidence Z_cur. Dimensionless, finite, at least 0.
        suc: α_suc, the weight of the succeeding layer's support Z_suc. Likewise.
        pre: α_pre, the weight of the preceding layer's support Z_pre. Likewise.

    Raises:
        ValueError: If a weight is negative or not finite.
    """

    cur: float = 1.0
    suc: float = 1.0
    pre: float = 1.0

    def __post_init__(self) -> None:
        for name in ("cur", "suc", "pre"):
            value = getattr(self, name)
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not (number and math.isfinite(value) and value >= 0):
                raise ValueError(f"alpha {name}={value!r}: a weight is a finite number of at least 0")


def as_table(alphas: Sequence[Alpha]) -> NDArray[np.float64]:
    """The weights as an array of shape (tracks, 3) in the order cur, suc, pre."""
    return np.array([(alpha.cur, alpha.suc, alpha.pre) for alpha in alphas], dtype=np.float64).reshape(-1, 3)
