"""Loops over channels that the compiler turns into vector instructions."""

from numba import njit


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def maximum(values, size):  # type: ignore[no-untyped-def]
    """The largest of the first ``size`` values, which are overwritten: halves are compared, whole vectors at a time."""
    while size > 8:
        half = (size + 1) // 2
        low, high = values[:half], values[size - half : size]
        for c in range(half):
            low[c] = high[c] if high[c] > low[c] else low[c]
        size = half
    highest = values[0]
    for c in range(1, size):
        highest = max(highest, values[c])
    return highest
