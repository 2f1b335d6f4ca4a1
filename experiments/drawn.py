"""The boxes that explanations draw around what they found: half-open, in pixels of the original image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.evaluation import Predicted
from experiments.maps import Map
from experiments.methods import Method
from tracer.maps import patch_boxes
from tuner.datasets import LabelledImage

THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Shares of a map's maximum at which boxes are drawn."""


def map_boxes(
    maps: Sequence[Map], thresholds: Sequence[float], images: Sequence[LabelledImage]
) -> list[NDArray[np.float64]]:
    """The boxes of every image's map at each threshold, shape (thresholds, 4)."""
    return [
        patch_boxes(heat, thresholds, (image.width, image.height)) for heat, image in zip(maps, images, strict=True)
    ]


def point_boxes(scene: Predicted, method: Method) -> list[NDArray[np.float64]] | None:
    """The box that the tracer's own settings draw in each image, shape (4,); ``None`` for any method but ``tracer``."""
    if method.name != "tracer":
        return None
    tracer, pictures = scene.subject.tracer, [image.open() for image in scene.images]
    return list(tracer.boxes(pictures, [tracer.settings], scene.targets.tolist())[:, 0])
