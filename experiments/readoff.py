"""Boxes and peaks of one map under many read-offs at once, each made by what the tracer's own maps are read with.

To *read off* a map is to blur it and to draw the box around its largest patch above a level (:mod:`tracer.maps`). The
*spread* of the blur is in pixels of the image scaled to a height of 256; the *cut* is as a job file's, such as 0.3 or
``mass 0.65``. Boxes are half-open x0, y0, x1, y1 in pixels of the original image.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracer.config import Cut
from tracer.maps import blur, patch_boxes
from tracer.reading import CELL

Values = NDArray[np.floating]

SPREADS = (0.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0)
"""Spreads that methods are tuned over; 0 leaves the map as it is."""
CUTS: tuple[Cut, ...] = (
    *(0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.24, 0.28, 0.32, 0.36, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7),
    *(f"mass {share:g}" for share in (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
)
"""Cuts that methods are tuned over."""


def boxes(heat: Values, spreads: Sequence[float], cuts: Sequence[Cut], size: tuple[int, int]) -> NDArray[np.float64]:
    """The box of every read-off of a map, shape (spreads, cuts, 4); zeros for a map of zeros.

    Args:
        heat: The map, shape (h, w) of the network's input, at least 0.
        spreads: Deviations of the blur.
        cuts: Where to cut the blurred map.
        size: Width and height of the original image.
    """
    shape = (-(-heat.shape[0] // CELL), -(-heat.shape[1] // CELL))
    values = heat.astype(np.float64)
    return np.array([patch_boxes(blur(values, spread, shape, size), cuts, size) for spread in spreads])


def peaks(heat: Values, spreads: Sequence[float], size: tuple[int, int]) -> NDArray[np.float64]:
    """Where the map is highest after each blur: x, y in pixels of the original image, shape (spreads, 2).

    That is the middle of the highest pixel, the first in row-major order where several are as high.
    """
    (height, width), values = heat.shape, heat.astype(np.float64)
    places = [blur(values, spread, (height, width), size).argmax() for spread in spreads]
    rows, columns = np.unravel_index(places, (height, width))
    return np.stack([(columns + 0.5) * size[0] / width, (rows + 0.5) * size[1] / height], axis=1)
