"""Loops over channels that the compiler turns into vector instructions."""

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

FAST = {"nnan", "nsz", "contract"}
"""What the compiler may assume of floats in these loops: no NaN, no signed zeros; it may fuse products with sums."""
EXACTLY = {"nnan", "nsz"}
"""Likewise where equal values have to come out equal: products and sums are rounded one by one."""


def _larger(_: Any, first: Any, second: Any) -> Any:
    if first != second or not isinstance(first, types.Float):
        return None

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        maximum = builder.module.declare_intrinsic("llvm.maxnum", [kind], ir.FunctionType(kind, [kind, kind]))
        return builder.call(maximum, arguments)

    return first(first, second), generate


larger: Any = intrinsic(_larger)
"""The larger of two floats of one type, as one instruction: a maximum over a loop then takes a whole vector a step.

``max`` and a comparison become branches, which the compiler leaves one by one.
"""


@njit(cache=True, nogil=True, fastmath=FAST)
def maximum(values, size):  # type: ignore[no-untyped-def]
    """The largest of the first ``size`` values, at least one."""
    highest = values[0]
    for c in range(size):
        highest = larger(highest, values[c])
    return highest


@njit(cache=True, nogil=True, fastmath=FAST)
def largest_product(inputs, filters):  # type: ignore[no-untyped-def]
    """The largest product of two vectors' terms, at least one."""
    largest = inputs[0] * filters[0]
    for c in range(inputs.size):
        largest = larger(largest, inputs[c] * filters[c])
    return largest
