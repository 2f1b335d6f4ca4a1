"""The boxes that explanations draw around what they found."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.evaluation import Explained
from experiments.methods import Subject
from tracer.maps import patch_boxes

THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
"""Shares of a map's maximum at which boxes are drawn."""


def drawn(
    one: Explained, thresholds: Sequence[float], points: Subject | None
) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Every box of an image: method, kind of box, half-open box in pixels of the original image.

    Args:
        one: The image with its maps.
        thresholds: Where to cut the maps; each is a kind of its own, ``map > T``.
        points: The traced network where the box around the tracer's points is wanted too, the kind ``points``;
            it is left out where the tracer has no map.
    """
    if points and "tracer" in one.maps:
        yield "tracer", "points", points.tracer.boxes([one.image.open()], [points.tracer.settings], [one.target])[0, 0]
    for name, heat in one.maps.items():
        boxes = patch_boxes(heat, thresholds, (one.image.width, one.image.height))
        for threshold, box in zip(thresholds, boxes, strict=True):
            yield name, f"map > {threshold:g}", box
