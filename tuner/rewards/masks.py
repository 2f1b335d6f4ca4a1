"""Which pixels of the network's input an explanation keeps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tracer.maps import Map
from tracer.reading import Reading
from tuner.rewards.scene import Mask


def box_mask(box: NDArray[np.float64], size: tuple[int, int], shape: tuple[int, int]) -> Mask:
    """The pixels of an input of ``shape`` (height, width) within a box in pixels of an image of ``size``."""
    x0, y0, x1, y1 = (box * np.array([shape[1] / size[0], shape[0] / size[1]] * 2)).round().astype(int)
    mask = np.zeros(shape, dtype=np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


def top_masks(heat: Map, shares: Sequence[float], shape: tuple[int, int]) -> list[Mask]:
    """For each share of the image, the pixels under that share of a map's cells, the highest ones.

    Cells of one value go in row-major order, so that every map keeps the same number of cells.

    Args:
        heat: The map, which covers the whole image.
        shares: In [0, 1].
        shape: Height and width of the network's input.
    """
    order = np.argsort(-heat, axis=None, kind="stable")
    rank = np.empty(heat.size, dtype=np.int64)
    rank[order] = np.arange(heat.size)
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(shape, heat.shape, strict=True))
    ranks = rank.reshape(heat.shape)[rows[:, None], columns]
    return [ranks < round(share * heat.size) for share in shares]


def top_masks_of(readings: Sequence[Reading], shares: Sequence[float], shape: tuple[int, int]) -> list[list[Mask]]:
    """:func:`top_masks` of each reading's map; readings that share a map share its masks."""
    heats = [reading.heat for reading in readings]
    made = {id(heat): top_masks(heat, shares, shape) for heat in {id(heat): heat for heat in heats}.values()}
    return [made[id(heat)] for heat in heats]
