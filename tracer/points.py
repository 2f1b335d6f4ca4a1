"""From traced points to their outliers and the box around them (Section 4.1.2).

Points are rows and columns of the map that was read (of the network's input, or of a coarser map), int64 of shape
(n, 2); ``shape`` is that map's (rows, columns) and ``size`` the original image's (width, height). Cell (r, c) covers
[c·W/w, (c+1)·W/w) x [r·H/h, (r+1)·H/h) of the original. Boxes are half-open x0, y0, x1, y1 in its pixels.
"""

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

Points = NDArray[np.int64]
Box = NDArray[np.float64]


def outliers(points: Points, shape: tuple[int, int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points have no more than 5% of all points within 0.1 x the diagonal of the original image, shape (n,).

    The point itself counts, a distance equal to the radius does not (Mopuri et al. 2018). Distances are between the
    pixels' centres in the original image, compared exactly.
    """
    if not len(points):
        return np.zeros(0, dtype=np.bool_)
    return _sparse(np.ascontiguousarray(points), shape[0], shape[1], _disk(shape, size))


def enclosing_box(
    points: Points, shape: tuple[int, int], size: tuple[int, int], outlying: NDArray[np.bool_] | None = None
) -> Box:
    """The tightest box around the points that are no outliers, float64 of shape (4,).

    Where every point is an outlier none is left out, for a box needs points; without points the box is all zeros.

    Args:
        points: The points.
        shape: Height and width of the network's input.
        size: Width and height of the original image.
        outlying: Which points are outliers, where that is known already.
    """
    kept = points[~(outliers(points, shape, size) if outlying is None else outlying)]
    if not len(kept):
        kept = points
    if not len(kept):
        return np.zeros(4)
    (top, left), (bottom, right) = kept.min(axis=0), kept.max(axis=0)
    return _original(left, top, right + 1, bottom + 1, shape, size)


def to_original(points: Points, shape: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
    """The centres x, y of the points' pixels in the original image, float64 of shape (n, 2)."""
    scale = np.array([size[0] / shape[1], size[1] / shape[0]])
    centres: NDArray[np.float64] = (points[:, ::-1] + 0.5) * scale
    return centres


def _original(left: int, top: int, right: int, bottom: int, shape: tuple[int, ...], size: tuple[int, int]) -> Box:
    """A half-open box of the input's pixels in those of the original; a side at the border is exactly the border."""
    (width, height), (rows, columns) = size, shape[:2]
    return np.array([left * width / columns, top * height / rows, right * width / columns, bottom * height / rows])


@lru_cache(maxsize=256)
def _disk(shape: tuple[int, int], size: tuple[int, int]) -> NDArray[np.int64]:
    """How many columns the disk of an outlier's neighbours reaches to each side, by its distance in rows.

    Strictly within: (Δr·H/h)² + (Δc·W/w)² < 0.01·(W² + H²), in whole numbers, so that no rounding decides.
    """
    (height, width), (original_width, original_height) = shape, size
    bound = (original_width**2 + original_height**2) * (width * height) ** 2
    reach = []
    for row in range(height):
        left = bound - 100 * (row * original_height * width) ** 2
        if left <= 0:
            break
        reach.append(min(math.isqrt((left - 1) // (100 * (original_width * height) ** 2)), width))
    return np.array(reach, dtype=np.int64)


@njit(cache=True)
def _sparse(points: Points, height: int, width: int, reach: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which points have no more than 5% of all in the disk around them.

    ``area[r, c]`` counts the points above row r and left of column c, so that a rectangle's count takes four look-ups.
    The largest rectangle inside the disk and the one around it settle most points; for the others the disk's rows
    are counted, from the middle outwards, and no more of them than needed to pass 5%.
    """
    area = np.zeros((height + 1, width + 1), dtype=np.int32)
    for i in range(len(points)):
        area[points[i, 0] + 1, points[i, 1] + 1] += 1
    for row in range(1, height + 1):
        along = 0
        for column in range(1, width + 1):
            along += area[row, column]
            area[row, column] = area[row - 1, column] + along
    inner = 0
    for row in range(len(reach)):
        if (2 * row + 1) * (2 * reach[row] + 1) > (2 * inner + 1) * (2 * reach[inner] + 1):
            inner = row
    sparse = np.zeros(len(points), dtype=np.bool_)
    for i in range(len(points)):
        row, column = points[i]
        if 20 * _count(area, row - inner, row + inner, column - reach[inner], column + reach[inner]) > len(points):
            continue
        sparse[i] = True
        last = len(reach) - 1
        if 20 * _count(area, row - last, row + last, column - reach[0], column + reach[0]) <= len(points):
            continue
        count = 0
        for distance in range(len(reach)):
            left, right = column - reach[distance], column + reach[distance]
            count += _count(area, row + distance, row + distance, left, right)
            if distance > 0:
                count += _count(area, row - distance, row - distance, left, right)
            if 20 * count > len(points):
                sparse[i] = False
                break
    return sparse


@njit(cache=True, inline="always")
def _count(area: NDArray[np.int32], top: int, bottom: int, left: int, right: int) -> int:
    """Points in the rows top to bottom and the columns left to right, both included, as far as they lie in the map."""
    top, bottom = max(top, 0), min(bottom + 1, area.shape[0] - 1)
    left, right = max(left, 0), min(right + 1, area.shape[1] - 1)
    if top >= bottom:
        return 0
    count: int = area[bottom, right] - area[top, right] - area[bottom, left] + area[top, left]
    return count
