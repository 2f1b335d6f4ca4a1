"""Boxes and peaks of one map under many read-offs at once.

To *read off* a map is to blur it and to draw the box around its largest patch above a level. The blur is a Gaussian,
round in the original image, with zeros beyond the border; its deviation, the *spread*, is in pixels of the image scaled
to a height of 256. The level is a :class:`Cut`. Boxes are half-open x0, y0, x1, y1 in pixels of the original image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """How the level is set that a map is cut at.

    Args:
        share: A share in (0, 1).
        of: ``"maximum"``: the patch is of pixels above this share of the map's maximum. ``"mass"``: it is of the fewest
            highest pixels that together hold this share of the map's sum.
    """

    share: float
    of: Literal["maximum", "mass"] = "maximum"

    def __str__(self) -> str:
        return f"{self.share:g}" if self.of == "maximum" else f"mass {self.share:g}"


SPREADS = (0.0, 4.0, 8.0, 12.0, 16.0, 24.0)
"""Spreads that methods are tuned over; 0 leaves the map as it is."""
CUTS = (
    *map(Cut, (0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28, 0.32, 0.36, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)),
    *(Cut(share, "mass") for share in (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
)
"""Cuts that methods are tuned over."""


def boxes(heat: Float, spreads: Sequence[float], cuts: Sequence[Cut], size: tuple[int, int]) -> NDArray[np.float64]:
    """The box of every read-off of a map, shape (spreads, cuts, 4); zeros where nothing lies above the level.

    Pixels of a patch touch at sides and corners. Of patches of one area the first in row-major order is taken.

    Args:
        heat: The map, shape (h, w), at least 0.
        spreads: Deviations of the blur.
        cuts: Where to cut the blurred map.
        size: Width and height of the original image.
    """
    scale = np.array([size[0] / heat.shape[1], size[1] / heat.shape[0]] * 2)
    found = np.empty((len(spreads), len(cuts), 4))
    for place, blurred in enumerate(blur(heat, spreads, size)):
        levels = _levels(blurred, cuts)
        order = np.argsort(-levels, kind="stable")
        found[place, order] = _largest_patches(blurred, levels[order]) * scale
    return found


def peaks(heat: Float, spreads: Sequence[float], size: tuple[int, int]) -> NDArray[np.float64]:
    """Where the map is highest after each blur: x, y in pixels of the original image, shape (spreads, 2).

    That is the middle of the highest pixel, the first in row-major order where several are as high.
    """
    places = blur(heat, spreads, size).reshape(len(spreads), -1).argmax(axis=1)
    rows, columns = np.unravel_index(places, heat.shape)
    return np.stack([(columns + 0.5) * size[0] / heat.shape[1], (rows + 0.5) * size[1] / heat.shape[0]], axis=1)


def blur(heat: Float, spreads: Sequence[float], size: tuple[int, int]) -> Float:
    """The map after each blur, shape (spreads, h, w)."""
    (rows, columns), heat = heat.shape, heat.astype(np.float32)
    found = np.empty((len(spreads), rows, columns), dtype=np.float32)
    for place, spread in enumerate(spreads):
        deviation = spread / 256 * size[1]
        if deviation == 0:
            found[place] = heat
        else:
            across = _gaussian(columns, deviation * columns / size[0])
            found[place] = _gaussian(rows, deviation * rows / size[1]) @ heat @ across
    return found


@lru_cache(maxsize=256)
def _gaussian(extent: int, deviation: float) -> Float:
    """What each of ``extent`` places gives to each other, exp(-d²/2σ²): a blur as a matrix product."""
    place = np.arange(extent)
    return np.exp(-0.5 * ((place[:, None] - place) / deviation) ** 2).astype(np.float32)


def _levels(heat: Float, cuts: Sequence[Cut]) -> Float:
    """The lowest value that still lies above each cut, shape (cuts,); infinite for a map of zeros."""
    highest = heat.max()
    if highest <= 0:
        return np.full(len(cuts), np.inf, dtype=np.float32)
    values = np.sort(heat, axis=None)[::-1]
    held = np.cumsum(values, dtype=np.float64)
    shares = np.array([cut.share for cut in cuts])
    above = np.nextafter((shares * highest).astype(np.float32), np.float32(np.inf))
    holding = values[np.searchsorted(held, shares * held[-1])]
    levels: Float = np.where([cut.of == "mass" for cut in cuts], holding, above)
    return levels


@njit(cache=True)
def _largest_patches(heat: Float, levels: Float) -> NDArray[np.int64]:
    """The largest patch at or above each level: its first column and row, and those after its last, shape (levels, 4).

    Levels descend. Pixels enter from the highest level to the lowest and join the patches that they touch
    (union-find), so all levels together cost one pass over the map. The root of a patch is its first pixel in row-major
    order, and a patch's area and box are kept at its root. Areas only grow: the largest patch so far is known without
    a search.
    """
    height, width = heat.shape
    # Pixels in the order of the first level that they reach, in row-major order among equals: a counting sort.
    reached = np.searchsorted(-levels, -heat.ravel())
    start = np.zeros(len(levels) + 2, dtype=np.int64)
    for level in reached:
        start[level + 1] += 1
    start = np.cumsum(start)
    order, filled = np.empty(len(reached), dtype=np.int64), start.copy()
    for pixel, level in enumerate(reached):
        order[filled[level]] = pixel
        filled[level] += 1

    parent = np.full(height * width, -1, dtype=np.int64)  # -1: has not entered
    area = np.ones(height * width, dtype=np.int64)
    sides = np.empty((height * width, 4), dtype=np.int64)
    found, largest = np.zeros((len(levels), 4), dtype=np.int64), -1
    for level in range(len(levels)):
        for pixel in order[start[level] : start[level + 1]]:
            row, column = pixel // width, pixel % width
            root = pixel
            parent[root] = root
            sides[root, 0], sides[root, 1], sides[root, 2], sides[root, 3] = column, row, column + 1, row + 1
            for near_row in range(max(row - 1, 0), min(row + 2, height)):
                for near_column in range(max(column - 1, 0), min(column + 2, width)):
                    other = near_row * width + near_column
                    if parent[other] < 0:
                        continue
                    while parent[other] != other:
                        parent[other] = parent[parent[other]]
                        other = parent[other]
                    if other == root:
                        continue
                    root, other = min(root, other), max(root, other)
                    parent[other] = root
                    area[root] += area[other]
                    for side in range(2):
                        sides[root, side] = min(sides[root, side], sides[other, side])
                        sides[root, side + 2] = max(sides[root, side + 2], sides[other, side + 2])
            if largest < 0 or area[root] > area[largest] or (area[root] == area[largest] and root < largest):
                largest = root
        if largest >= 0:
            found[level] = sides[largest]
    return found
