"""Boxes: half-open, float64, x0, y0, x1, y1 in pixels of the original image, whose first pixel covers [0, 1).

A box covers x0 ≤ x < x1, so its width is x1 - x0 and a box around a whole image is (0, 0, width, height). Other
conventions are converted where they enter the program, by the functions here, and nowhere else.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def from_inclusive(corners: ArrayLike, origin: int = 0) -> NDArray[np.float64]:
    """Half-open boxes from corners that name the first and the last pixel covered.

    Args:
        corners: First column, first row, last column, last row; shape (..., 4).
        origin: The number of the image's first pixel: 0, or 1 as in MATLAB.

    Returns:
        float64 of the same shape.
    """
    shift = np.array([-origin, -origin, 1 - origin, 1 - origin], dtype=np.float64)
    return np.add(np.asarray(corners, dtype=np.float64), shift)


def from_extent(extents: ArrayLike) -> NDArray[np.float64]:
    """Half-open boxes from x0, y0, width, height; float64 of the same shape (..., 4)."""
    extents = np.asarray(extents, dtype=np.float64)
    return np.concatenate([extents[..., :2], extents[..., :2] + extents[..., 2:]], axis=-1)


def from_centre(extents: ArrayLike) -> NDArray[np.float64]:
    """Half-open boxes from the centre's x and y, width, height; float64 of the same shape (..., 4)."""
    extents = np.asarray(extents, dtype=np.float64)
    half = extents[..., 2:] / 2
    return np.concatenate([extents[..., :2] - half, extents[..., :2] + half], axis=-1)


def iou(box: ArrayLike, boxes: ArrayLike) -> float:
    """Intersection over union of a box with the best-overlapping of others, in [0, 1].

    Args:
        box: One half-open box, shape (4,). An empty one overlaps nothing.
        boxes: The instances of an image, shape (n, 4), each of positive area. Without any the result is 0.
    """
    x0, y0, x1, y1 = np.asarray(box, dtype=np.float64)
    others = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    width = np.minimum(x1, others[:, 2]) - np.maximum(x0, others[:, 0])
    height = np.minimum(y1, others[:, 3]) - np.maximum(y0, others[:, 1])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    union = max(x1 - x0, 0.0) * max(y1 - y0, 0.0) + areas - intersection
    return float(np.max(intersection / union, initial=0.0))
