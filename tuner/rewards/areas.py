"""Areas under the probability of a class while an image changes, its highest places first (Petsiuk et al. 2018)."""

from collections.abc import Sequence

import numpy as np

from tracer.reading import Reading
from tuner.rewards.judge import Values
from tuner.rewards.masks import top_masks_of
from tuner.rewards.scene import Occlusion, Scene


def area(scene: Scene, occlusion: Occlusion, readings: Sequence[Reading], steps: int, *, remove: bool) -> Values:
    """The area under each arm's curve, by the trapezoidal rule; the curve runs over the share of the image changed.

    Args:
        scene: The image.
        occlusion: The network on it with parts hidden.
        readings: What each arm read.
        steps: Changes of equal size.
        remove: Whether the highest places are hidden one after the other; else they are shown.
    """
    shares = [step / steps for step in range(steps + 1)]
    curves = top_masks_of(readings, shares, scene.shape)
    masks = [~mask if remove else mask for curve in curves for mask in curve]
    targets = [reading.target for reading in readings for _ in shares]
    found = occlusion.probabilities(masks, targets).reshape(len(readings), len(shares))
    areas: Values = np.clip((found[:, 1:] + found[:, :-1]).mean(axis=1) / 2, 0.0, 1.0)
    return areas
