"""The pointing game: whether the map is highest on an instance (Section 4.1.1)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuner.datasets import LabelledImage
from tuner.rewards.judge import Judge, Values
from tuner.spec.reward import PointingReward

if TYPE_CHECKING:
    from tracer import Model
    from tracer.reading import Reading
    from tuner.rewards.scene import Scene


def make(reward: PointingReward, model: "Model") -> Judge:  # noqa: ARG001 (maps are read as they are)
    """The judge; the network plays no part."""
    return hits


def hits(scene: "Scene", readings: "Sequence[Reading]") -> Values:
    """1 where the middle of a map's highest cell, the first in row-major order, lies in a box; else 0."""
    values = []
    for reading in readings:
        heat = reading.heat
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        x = (int(column) + 0.5) * scene.image.width / heat.shape[1]
        y = (int(row) + 0.5) * scene.image.height / heat.shape[0]
        values.append(float(heat.any() and _holds(scene.image, x, y)))
    return np.array(values, dtype=np.float64)


def trivial(image: LabelledImage) -> float:
    """1 where the middle of the image lies in a box."""
    return float(_holds(image, image.width / 2, image.height / 2))


def _holds(image: LabelledImage, x: float, y: float) -> bool:
    x0, y0, x1, y1 = image.boxes.T
    return bool(((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)).any())
