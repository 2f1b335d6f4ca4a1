"""Whether the box overlaps an instance (Section 3.2)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou
from tuner.rewards.judge import Judge, Values
from tuner.spec.reward import IouReward

if TYPE_CHECKING:
    from tracer import Model
    from tracer.reading import Reading
    from tuner.rewards.scene import Scene


def make(reward: IouReward, model: "Model") -> Judge:  # noqa: ARG001 (boxes are compared as they are)
    """The judge; the network plays no part."""
    return overlaps


def overlaps(scene: "Scene", readings: "Sequence[Reading]") -> Values:
    """IOU of each box with the instance that it overlaps best; 0 where there is no box."""
    return np.array([iou(reading.box, scene.image.boxes) for reading in readings], dtype=np.float64)


def trivial(image: LabelledImage) -> float:
    """IOU of the box around the whole image."""
    return iou(np.array([0, 0, image.width, image.height], dtype=np.float64), image.boxes)
