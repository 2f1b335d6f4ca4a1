"""Whether a map's maximum points at the object (Zhang et al. 2018; Section 4.1.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from experiments.compare import Comparison, Measure, verdict
from experiments.evaluation import Predicted, Target, predict
from experiments.maps import holds, peak
from experiments.methods import Method, Subject, Variants
from experiments.records import Found
from experiments.result import Result
from tuner.datasets import LabelledImage

SCORE = Measure("score", "share of images whose map is highest inside a box of the object (Eq. 6)", counts=True)


@dataclass(frozen=True)
class PointingGame:
    """The highest place of each map beside the boxes of the objects, without tolerance.

    Args:
        target: The class to explain.
    """

    target: Target = "predicted"

    name: ClassVar = "pointing-game"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {"target": self.target}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Predicted:
        """The images, classified."""
        return predict(subject, images, self.target)

    def record(self, scene: Predicted, method: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """Whether the maximum lies in an instance."""
        maps = scene.maps(method, attribute)
        return [
            {"hit": holds(image.boxes, *peak(heat, image.width, image.height))}
            for heat, image in zip(maps, scene.images, strict=True)
        ]

    def result(self, found: Found, seed: int) -> Result:
        """Hits of every method, after the baseline that always points at the centre."""
        hits = {"centre": np.array([holds(each.boxes, each.width / 2, each.height / 2) for each in found.images])}
        hits |= {method: found.values(method, "hit") for method in found.records}
        table = Comparison(
            "Pointing game",
            {"method": "the attribution method, or the middle of the image, which needs no network"},
            [SCORE],
            {(method,): {"score": values.astype(np.float64)} for method, values in hits.items()},
            found.sample,
            next(iter(found.records)),
            seed,
        ).table()
        return Result("Do the explanations point at the objects?", verdict(table, SCORE, "points best"), (table,))
