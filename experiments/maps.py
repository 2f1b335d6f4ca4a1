"""What is read off a saliency map: its maximum and a box, in pixels of the original image."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]

BLUR = 20 / 256
"""Standard deviation of the Gaussian that turns values of single pixels into a map, in heights of the image."""


def smooth(saliency: Map) -> Map:
    """The map of shape (h, w), blurred; zeros lie beyond the border (a reflection would double what lies there)."""
    return np.asarray(ndimage.gaussian_filter(saliency, BLUR * saliency.shape[0], mode="constant"), dtype=np.float32)


def peak(saliency: Map, width: int, height: int) -> tuple[float, float]:
    """Where the map is highest: x, y in pixels of an image of this size; the first such place in row-major order."""
    row, column = np.unravel_index(int(saliency.argmax()), saliency.shape)
    return (float(column) + 0.5) * width / saliency.shape[1], (float(row) + 0.5) * height / saliency.shape[0]


def map_box(saliency: Map, threshold: float, width: int, height: int) -> NDArray[np.float64]:
    """The tightest box around the largest patch that is high enough: how CAM methods localise (Zhou et al. 2016).

    Args:
        saliency: The map, non-negative, shape (h, w).
        threshold: What a place must exceed, as a share of the map's maximum, in [0, 1). Places that touch by a corner
            belong to one patch.
        width: Columns of the original image.
        height: Rows of the original image.

    Returns:
        Half-open x0, y0, x1, y1 in pixels of the original image; empty (0, 0, 0, 0) for a map of zeros.
    """
    patches, count = ndimage.label(saliency > threshold * saliency.max(), structure=np.ones((3, 3)))
    if not count:
        return np.zeros(4)
    largest = 1 + int(np.bincount(patches.ravel())[1:].argmax())
    rows, columns = ndimage.find_objects(patches)[largest - 1]
    scale = np.array([width / saliency.shape[1], height / saliency.shape[0]] * 2)
    box: NDArray[np.float64] = np.array([columns.start, rows.start, columns.stop, rows.stop]) * scale
    return box


def holds(boxes: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether a point lies in one of the half-open boxes, shape (n, 4)."""
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    return bool(inside.any())
