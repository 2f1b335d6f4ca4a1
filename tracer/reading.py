"""What is read of the evidence: a map of shares at some depth, and the box that is drawn from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from tracer.config import TraceConfig
from tracer.maps import Map, blur, patch_boxes
from tracer.points import enclosing_box

CELL = 4
"""Pixels of the network's input that a cell of a blurred map is wide: boxes need no finer one."""


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """The evidence for a class in one image, read at one depth, under one setting of the weights.

    Args:
        points: Rows and columns of the map's cells with evidence, int64 of shape (n, 2), distinct, in row-major order.
        shares: Each point's share of the class's evidence that reached the map, float64 of shape (n,), positive; they
            sum to 1. There are none where none of it did.
        shape: Rows and columns of the map: those of the network's input where it is read at the image.
        target: Index of the class explained.
        probability: The network's probability of that class.
        depth: Where the evidence was read: ``image``, or the layer's name.
        input: Height and width of the network's input, in pixels.
        predicted: Index and probability of the most probable class; ``None`` where they are not known.
    """

    points: NDArray[np.int64]
    shares: NDArray[np.float64]
    shape: tuple[int, int]
    target: int
    probability: float
    depth: str
    input: tuple[int, int]
    predicted: tuple[int, float] | None = None

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"Trace(target={self.target}, probability={self.probability:.3f}, depth={self.depth!r}, "
            f"{len(self.points)} points in {columns} x {rows})"
        )

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Rows and columns of the points in the network's input, those of a coarser map at the centres of its cells."""
        rows, columns = self.shape
        height, width = self.input
        return np.stack(
            [(2 * self.points[:, 0] + 1) * height // (2 * rows), (2 * self.points[:, 1] + 1) * width // (2 * columns)],
            axis=1,
        )

    @property
    def map(self) -> Map:
        """The share of every cell of the map, float64 of shape ``shape``."""
        cells = np.zeros(self.shape)
        cells[self.points[:, 0], self.points[:, 1]] = self.shares
        return cells

    def saliency(self, spread: float, size: tuple[int, int], cell: int = 1) -> Map:
        """The map, blurred, with a cell for each ``cell`` pixels of the network's input; the maximum is 1.

        Args:
            spread: Deviation of the blur in pixels of an image 256 pixels high.
            size: Width and height of the original image.
            cell: Pixels.
        """
        height, width = self.input
        return blur(self.map, spread, (-(-height // cell), -(-width // cell)), size)

    def density(self, size: tuple[int, int], cell: int = 1) -> Map:
        """The points blurred, each alike (the paper's heatmap); arguments and result as of :meth:`saliency`."""
        alike = replace(self, shares=np.ones(len(self.points)))
        return alike.saliency(TraceConfig.cnn_fixations().spread, size, cell)


@dataclass(frozen=True, eq=False)
class Reading:
    """What settings read off the evidence in one image: a box, and the map behind it.

    Args:
        box: Half-open x0, y0, x1, y1 in pixels of the original image, float64 of shape (4,); zeros where there is none.
        target: Index of the class explained.
        draw: Makes the map; readings that differ in their cut alone share it.
    """

    box: NDArray[np.float64]
    target: int
    draw: Callable[[], Map]

    @property
    def heat(self) -> Map:
        """The blurred map, which covers the whole image, at least 0; readings of one map return the same array."""
        return self.draw()


def read(traces: Sequence[Trace], configs: Sequence[TraceConfig], size: tuple[int, int]) -> list[Reading]:
    """What each configuration reads off its trace; a map with several cuts is made once.

    Where the box is drawn around points, the map is the points' density, which no spread and no cut changes.

    Args:
        traces: Of one image; where the same object stands several times, its maps are shared.
        configs: One a trace.
        size: Width and height of the original image.
    """
    readings: dict[int, Reading] = {}
    groups: dict[tuple[int, float | None], list[int]] = {}
    for place, (trace, config) in enumerate(zip(traces, configs, strict=True)):
        groups.setdefault((id(trace), config.spread if config.box == "patch" else None), []).append(place)
    for (_, spread), places in groups.items():
        trace = traces[places[0]]
        if spread is None:
            boxes = enclosing_box(trace.points, trace.shape, size)[None].repeat(len(places), axis=0)
            draw = cache(partial(trace.density, size, CELL))
        else:
            draw = cache(partial(trace.saliency, spread, size, CELL))
            boxes = patch_boxes(draw(), [configs[place].cut for place in places], size)
        for place, box in zip(places, boxes, strict=True):
            readings[place] = Reading(box, trace.target, draw)
    return [readings[place] for place in range(len(traces))]


def boxes_of(readings: Sequence[Reading]) -> NDArray[np.float64]:
    """The boxes of some readings, shape (readings, 4)."""
    return np.array([reading.box for reading in readings]).reshape(-1, 4)


def read_boxes(traces: Sequence[Trace], configs: Sequence[TraceConfig], size: tuple[int, int]) -> NDArray[np.float64]:
    """The box that each configuration reads off its trace, shape (traces, 4); arguments as of :func:`read`."""
    return boxes_of(read(traces, configs, size))
