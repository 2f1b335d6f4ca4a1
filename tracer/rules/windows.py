"""Where the window of a convolution or a pooling lies in its input."""

from dataclasses import dataclass
from typing import Any

import numpy as np


def pair(value: Any) -> tuple[int, int]:
    """(rows, columns) of an operator's argument, which may be one number, a list of one or two, or empty."""
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


@dataclass(frozen=True)
class Windows:
    """Geometry of sliding windows, each pair (rows, columns) in pixels of the input.

    The window of the output (y, x) covers the input rows y·stride − padding + i·dilation for i below ``size``, and the
    columns likewise, as far as they lie in the input.
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)

    def as_array(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The eight numbers, for the kernels."""
        return np.array([*self.size, *self.stride, *self.padding, *self.dilation], np.int64)
