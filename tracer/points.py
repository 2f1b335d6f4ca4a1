"""From traced points to what is made of them: outliers, boxes, maps (Section 4.1.2).

Points are rows and columns of the network's input, int64 of shape (n, 2); ``shape`` is that input's (height, width) and
``size`` the original image's (width, height). The whole image is the whole input, so the input's pixel (r, c) covers
[c·W/w, (c+1)·W/w) x [r·H/h, (r+1)·H/h) of the original. Boxes are half-open x0, y0, x1, y1 in the original's pixels.
"""

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from tracer.config import TraceConfig

Points = NDArray[np.int64]
Map = NDArray[np.float64]
Box = NDArray[np.float64]

SIGMA = 20.0
"""Deviation of the blur, in pixels of an image that is 256 pixels high."""


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


def saliency(
    points: Points,
    shape: tuple[int, int],
    size: tuple[int, int],
    shares: NDArray[np.float64] | None = None,
    sigma: float = SIGMA,
) -> Map:
    """The points blurred by a Gaussian that is round in the original image, float64 of shape (height, width).

    Beyond the border lies nothing: reflecting what lies there would double it. The maximum is 1; without points the
    map is 0.

    Args:
        points: The points.
        shape: Height and width of the network's input, and of the map.
        size: Width and height of the original image.
        shares: Weight of each point, shape (n,); without it each weighs 1 (the paper's heatmap).
        sigma: Deviation of the Gaussian in pixels of the image scaled to a height of 256.
    """
    used, line = np.unique(points[:, 0], return_inverse=True)  # a blur along rows needs only those with points
    spread = np.zeros((len(used), shape[1]))
    np.add.at(spread, (line, points[:, 1]), 1.0 if shares is None else shares)
    deviation = sigma / 256 * size[1]
    rows = _gaussian(shape[0], deviation * shape[0] / size[1])
    columns = _gaussian(shape[1], deviation * shape[1] / size[0])
    blurred: Map = rows[:, used] @ (spread @ columns)
    peak = blurred.max()
    return blurred / peak if peak > 0 else blurred


def density_box(heat: Map, threshold: float, size: tuple[int, int]) -> Box:
    """The box around the largest patch of a map above a share of its maximum, float64 of shape (4,).

    Pixels touch at sides and corners. Of patches of one area the first in row-major order is taken; a map without
    anything above 0 gives zeros.

    Args:
        heat: The map, shape (height, width), at least 0.
        threshold: Share of the maximum, in (0, 1).
        size: Width and height of the original image.
    """
    patches, _ = ndimage.label(heat > threshold * heat.max(), np.ones((3, 3)))
    areas = np.bincount(patches.ravel())[1:]
    if not len(areas):
        return np.zeros(4)
    rows, columns = ndimage.find_objects(patches)[areas.argmax()]
    return _original(columns.start, rows.start, columns.stop, rows.stop, heat.shape, size)


def box(
    points: Points, shares: NDArray[np.float64], shape: tuple[int, int], size: tuple[int, int], config: TraceConfig
) -> Box:
    """The box that the configuration asks for, float64 of shape (4,)."""
    if config.box == "density":
        return density_box(saliency(points, shape, size, shares), config.density, size)
    return enclosing_box(points, shape, size)


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


@lru_cache(maxsize=32)
def _gaussian(extent: int, deviation: float) -> Map:
    """What each of ``extent`` places gives to each other, exp(-d²/2σ²): a blur as a matrix product, exact and fast."""
    place = np.arange(extent)
    return np.exp(-0.5 * ((place[:, None] - place) / deviation) ** 2)
