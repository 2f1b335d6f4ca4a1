"""What is read off a saliency map, in pixels of the original image; boxes are :func:`tracer.points.density_box`'s."""

import numpy as np
from numpy.typing import NDArray

from tracer.points import saliency

Map = NDArray[np.float64]


def smooth(values: NDArray[np.float32], width: int, height: int) -> Map:
    """Values of single pixels (h, w) blurred as the tracer blurs its shares, so that all are read off alike.

    Args:
        values: At least 0.
        width: Columns of the original image; the Gaussian is round there.
        height: Rows of the original image.
    """
    return saliency(np.argwhere(values > 0), values.shape, (width, height), values[values > 0].astype(np.float64))


def peak(heat: Map, width: int, height: int) -> tuple[float, float]:
    """Where the map is highest: x, y in pixels of an image of this size; the first such place in row-major order."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return (float(column) + 0.5) * width / heat.shape[1], (float(row) + 0.5) * height / heat.shape[0]


def holds(boxes: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether a point lies in one of the half-open boxes, shape (n, 4)."""
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    return bool(inside.any())
