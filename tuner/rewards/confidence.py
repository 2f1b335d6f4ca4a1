"""Whether the network stays as sure when only the explained part of an image is left (Section 4.1.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracer import Model
from tracer.reading import Reading
from tuner.rewards.judge import Judge, Values
from tuner.rewards.masks import box_mask, top_masks_of
from tuner.rewards.scene import Scene
from tuner.spec.reward import ConfidenceReward


def make(reward: ConfidenceReward, model: Model) -> Judge:  # noqa: ARG001 (a scene has the network)
    """The judge."""
    return Confidence(reward.keep)


@dataclass(frozen=True)
class Confidence:
    """q / (p + q) for the class's probability p with the whole image and q with a part of it; 0 where both are 0.

    Args:
        keep: The share of the image that is left, where the map is highest; ``None`` for the box.
    """

    keep: float | None

    def __call__(self, scene: Scene, readings: Sequence[Reading]) -> Values:
        """The value of each arm."""
        if self.keep is None:
            parts = [box_mask(reading.box, scene.size, scene.shape) for reading in readings]
        else:
            parts = [mask for (mask,) in top_masks_of(readings, [self.keep], scene.shape)]
        targets = [reading.target for reading in readings]
        whole = np.ones(scene.shape, dtype=np.bool_)
        found = scene.on_grey.probabilities([whole] * len(parts) + parts, targets * 2)
        before, after = found[: len(parts)], found[len(parts) :]
        return np.divide(after, before + after, out=np.zeros(len(parts)), where=before + after > 0)
