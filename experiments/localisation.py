"""How well the box that a method leaves overlaps the object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.compare import Comparison, Key, Measure, verdict
from experiments.drawn import THRESHOLDS, map_boxes, point_boxes
from experiments.evaluation import Predicted, Target, predict
from experiments.methods import Method, Subject, Variants
from experiments.records import Found
from experiments.result import Result
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou

WHOLE: Key = ("whole image", "")
"""The baseline: the box around everything, which needs no network."""
BEST = "Each method's best threshold on these very images."


@dataclass(frozen=True)
class Localisation:
    """Boxes of maps and of the tracer's points beside those of the objects.

    Args:
        thresholds: Shares of a map's maximum to cut it at.
        target: The class to explain.
        wanted: The IOU that counts as success.
        every: Show every threshold instead of each method's best, which is chosen on these very images, and so flatters
            each method alike.
    """

    thresholds: Sequence[float] = THRESHOLDS
    target: Target = "predicted"
    wanted: float = 0.5
    every: bool = False

    name: ClassVar = "localisation"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {"thresholds": list(self.thresholds), "target": self.target}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Predicted:
        """The images, classified."""
        return predict(subject, images, self.target)

    def record(self, scene: Predicted, method: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """IOU of each box with the best-overlapping instance; that of the points is NaN for methods without any."""
        boxes = map_boxes(scene.maps(method, attribute), self.thresholds, scene.images)
        points = point_boxes(scene, method)
        return [
            {
                "overlaps": [iou(box, image.boxes) for box in boxes[place]],
                "points": np.nan if points is None else iou(points[place], image.boxes),
            }
            for place, image in enumerate(scene.images)
        ]

    def result(self, found: Found, seed: int) -> Result:
        """Success and mean IOU of every method, after the whole-image baseline."""
        overlaps = {WHOLE: np.array([iou((0, 0, each.width, each.height), each.boxes) for each in found.images])}
        for method in found.records:
            points = found.values(method, "points")
            if np.isfinite(points).all():
                overlaps[method, "points"] = points
            cuts = self._cuts(found.values(method, "overlaps"))
            overlaps |= {(method, f"map > {self.thresholds[cut]:g}"): values for cut, values in cuts.items()}
        first = next(iter(found.records))
        maps = [key for key in overlaps if key[0] == first and key[1] != "points"]
        against = maps[0] if len(maps) == 1 else None
        success = Measure("success", f"share of images with IOU ≥ {self.wanted:g}", counts=True)
        mean = Measure("mean_iou", "mean IOU with the best-overlapping instance, 0 to 1", scale=1)
        table = Comparison(
            "Boxes of the explanations beside those of the objects",
            {
                "method": "the attribution method, or the box around the whole image",
                "box": "around the map's largest patch above a share of its maximum, or around the tracer's points",
            },
            [success, mean],
            {
                key: {"success": (values >= self.wanted).astype(np.float64), "mean_iou": values}
                for key, values in overlaps.items()
            },
            found.sample,
            first,
            seed,
            (
                *(() if against is None else (f"Differences are to the box of {' '.join(against)}.",)),
                *(() if self.every or len(self.thresholds) == 1 else (BEST,)),
            ),
            against,
        ).table()
        return Result("Do the explanations' boxes hold the objects?", verdict(table, success, "boxes best"), (table,))

    def _cuts(self, overlaps: NDArray[np.float64]) -> dict[int, NDArray[np.float64]]:
        """The IOUs of those thresholds that are shown."""
        if self.every:
            return dict(enumerate(overlaps.T))
        best = max(
            range(len(self.thresholds)),
            key=lambda cut: (_share(overlaps[:, cut], self.wanted), overlaps[:, cut].mean()),
        )
        return {best: overlaps[:, best]}


def _share(overlaps: NDArray[np.float64], wanted: float) -> float:
    return float((overlaps >= wanted).mean())
