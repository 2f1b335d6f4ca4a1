"""From the shares of a map's cells to a blurred map and the boxes cut from it.

A map is float64 of shape (rows, columns) and covers the whole image, so cell (r, c) of it covers the image's part
[c/columns, (c+1)/columns) x [r/rows, (r+1)/rows). ``size`` is the original image's (width, height).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tracer.config import Cut, parse_cut

Map = NDArray[np.float64]
Box = NDArray[np.float64]

HEIGHT = 256
"""Height of the image, in pixels, in which a blur's deviation is given."""


def blur(shares: Map, spread: float, shape: tuple[int, int], size: tuple[int, int]) -> Map:
    """A map of shares, interpolated to a shape and blurred by a Gaussian that is round in the original image.

    Values between the centres of cells are interpolated linearly. Beyond the border lies nothing: reflecting what lies
    there would double it.

    Args:
        shares: The map, at least 0.
        spread: Deviation of the Gaussian in pixels of the image scaled to a height of 256; 0 for no blur.
        shape: Rows and columns of the result.
        size: Width and height of the original image.

    Returns:
        Shape ``shape``, float64; the maximum is 1, or the map is 0 where the shares are.
    """
    deviation = spread / HEIGHT  # in heights of the image
    rows = _kernel(shape[0], shares.shape[0], deviation)
    columns = _kernel(shape[1], shares.shape[1], deviation * size[1] / size[0])
    used = np.flatnonzero(shares.any(axis=1))  # few rows of a map of the image hold points
    blurred: Map = rows[:, used] @ (shares[used] @ columns.T)
    peak = blurred.max()
    return blurred / peak if peak > 0 else blurred


def patch_boxes(heat: Map, cuts: Sequence[Cut], size: tuple[int, int]) -> NDArray[np.float64]:
    """For each cut, the box around the largest patch of a map above it.

    A patch is a set of cells above the cut that touch at sides or corners. Of patches of one area the one that begins
    first in row-major order is taken. All cuts are answered in one pass from the map's maximum down.

    Args:
        heat: The map, at least 0.
        cuts: Shares of the maximum (cells above it belong), or masses (the fewest of the highest cells that hold it).
        size: Width and height of the original image.

    Returns:
        Half-open x0, y0, x1, y1 in the original's pixels, shape (cuts, 4); zeros where the map is 0 everywhere.
    """
    values = heat.reshape(-1)
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    counts = np.array([_count(ordered, *parse_cut(cut)) for cut in cuts], dtype=np.int64)
    sides = _largest_patches(order, heat.shape[0], heat.shape[1], np.unique(counts))
    left, top, right, bottom = sides[np.searchsorted(np.unique(counts), counts)].T
    width, height = size
    rows, columns = heat.shape
    return np.stack(
        [left * width / columns, top * height / rows, right * width / columns, bottom * height / rows], axis=1
    )


def _count(ordered: NDArray[np.float64], fraction: float, mass: bool) -> int:
    """How many of the highest values, which descend, lie above a cut."""
    if ordered[0] <= 0:
        return 0
    if mass:
        held = np.cumsum(ordered)
        return int(np.searchsorted(held, fraction * held[-1])) + 1
    return int(np.searchsorted(-ordered, -fraction * ordered[0]))


@lru_cache(maxsize=256)
def _kernel(extent: int, cells: int, deviation: float) -> Map:
    """What each of ``cells`` along one side adds to each of ``extent`` places along it, shape (extent, cells).

    Args:
        extent: Places of the result.
        cells: Cells of the map.
        deviation: Of the Gaussian, as a part of the side; 0 for none.
    """
    fine = max(extent, cells)
    at = np.clip(_centres(fine) * cells - 0.5, 0, cells - 1)
    interpolation: Map = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells)))
    if deviation == 0:
        starts = np.arange(extent)[:, None] / extent
        overlap = np.minimum(starts + 1 / extent, (np.arange(fine) + 1) / fine) - np.maximum(
            starts, np.arange(fine) / fine
        )
        averaged: Map = np.maximum(overlap, 0) @ interpolation
        return averaged
    distances = (_centres(extent)[:, None] - _centres(fine)) / deviation
    kernel: Map = np.exp(-0.5 * distances**2) @ interpolation
    return kernel


def _centres(cells: int) -> NDArray[np.float64]:
    """The centres of cells along a side of length 1."""
    return (np.arange(cells) + 0.5) / cells


@njit(cache=True, nogil=True)
def _largest_patches(order, rows, columns, counts):  # type: ignore[no-untyped-def]
    """Sides of the largest patch of the first ``count`` cells in order, for ascending counts, shape (counts, 4).

    A forest of cells, each patch a tree (union-find). Its root keeps the patch's area, its first cell and its sides.
    """
    parent = np.full(rows * columns, -1, np.int64)
    area = np.zeros(rows * columns, np.int64)
    sides = np.empty((rows * columns, 4), np.int64)
    first = np.empty(rows * columns, np.int64)
    found = np.zeros((counts.size, 4), np.int64)
    largest = -1
    done = 0
    for which in range(counts.size):
        while done < counts[which]:
            root = order[done]
            done += 1
            row, column = root // columns, root % columns
            parent[root], area[root], first[root] = root, 1, root
            sides[root, 0], sides[root, 1], sides[root, 2], sides[root, 3] = column, row, column + 1, row + 1
            for r in range(max(row - 1, 0), min(row + 2, rows)):
                for c in range(max(column - 1, 0), min(column + 2, columns)):
                    other = r * columns + c
                    if parent[other] < 0:
                        continue
                    while parent[other] != other:
                        parent[other] = parent[parent[other]]
                        other = parent[other]
                    if other == root:
                        continue
                    if area[other] > area[root]:
                        root, other = other, root
                    parent[other] = root
                    area[root] += area[other]
                    first[root] = min(first[root], first[other])
                    sides[root, 0] = min(sides[root, 0], sides[other, 0])
                    sides[root, 1] = min(sides[root, 1], sides[other, 1])
                    sides[root, 2] = max(sides[root, 2], sides[other, 2])
                    sides[root, 3] = max(sides[root, 3], sides[other, 3])
            if largest >= 0:
                while parent[largest] != largest:
                    largest = parent[largest]
            if (
                largest < 0
                or area[root] > area[largest]
                or (area[root] == area[largest] and first[root] < first[largest])
            ):
                largest = root
        if largest >= 0:
            found[which] = sides[largest]
    return found
