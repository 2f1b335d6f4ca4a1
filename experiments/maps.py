"""What is read off a saliency map, in pixels of the original image; boxes are :func:`tracer.maps.patch_boxes`'s."""

import numpy as np
from numpy.typing import NDArray

from tracer import TraceConfig
from tracer.maps import blur

Map = NDArray[np.float64]


def smooth(values: NDArray[np.float32], width: int, height: int) -> Map:
    """Values of single pixels (h, w) blurred as the paper blurs its points, so that all are read off alike.

    Args:
        values: At least 0.
        width: Columns of the original image; the Gaussian is round there.
        height: Rows of the original image.
    """
    return blur(values.astype(np.float64), TraceConfig.paper().spread, values.shape, (width, height))


def peak(heat: Map, width: int, height: int) -> tuple[float, float]:
    """Where the map is highest: x, y in pixels of an image of this size; the first such place in row-major order."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return (float(column) + 0.5) * width / heat.shape[1], (float(row) + 0.5) * height / heat.shape[0]


def holds(boxes: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether a point lies in one of the half-open boxes, shape (n, 4)."""
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    return bool(inside.any())
