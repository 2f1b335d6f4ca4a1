"""Whether the network grows surer when only the explained part of an image is left (Section 4.1.2).

The paper's own figure keeps the box that the method draws. A large box keeps nearly everything, so it grows with how
much is kept; beside it stand the same figure where every method keeps equally much, and the curves of insertion and
deletion (Petsiuk et al. 2018), which have no box at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from experiments.compare import Comparison, Key, Measure, only, verdict
from experiments.drawn import map_boxes, point_boxes
from experiments.evaluation import Predicted, Target, predict
from experiments.maps import Map
from experiments.methods import Method, Subject, Variants
from experiments.occlusion import FILLS, area_under, curve, grow_box, keep_box, keep_highest, probabilities_of
from experiments.pictures import Line, plot
from experiments.records import Found
from experiments.result import Picture, Result
from tuner.datasets import LabelledImage

AREAS = (0.25, 0.5, 0.75)
"""Shares of the image that every method keeps alike."""
STEP = 224
"""Pixels of the network's input that insertion and deletion change at a time."""

INCREASED = Measure("increased", "share of images whose class grew more probable", counts=True)
DROP = Measure("average_drop", "mean share of the probability that is lost, an increase counting as 0", better=-1)
KEPT = Measure("kept", "mean share of the image that is kept", better=0, compared=False)
INSERTION = Measure(
    "insertion", "area under the probability while the map's pixels replace the blurred image, 0 to 1", scale=1
)
DELETION = Measure(
    "deletion", "area under the probability while they turn to the mean colour, 0 to 1", scale=1, better=-1
)


@dataclass(frozen=True)
class Confidence:
    """A class's probability while parts of the image are hidden.

    Args:
        threshold: The share of its maximum at which a map is cut for its box.
        target: The class to explain.
        curves: Whether insertion and deletion are measured: 2 · 224 forward passes an image and method.
        step: Pixels that they change at a time.
    """

    threshold: float = 0.2
    target: Target = "predicted"
    curves: bool = True
    step: int = STEP

    name: ClassVar = "confidence"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {"threshold": self.threshold, "target": self.target, "step": self.step if self.curves else None}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Predicted:
        """The images, classified."""
        return predict(subject, images, self.target)

    def record(self, scene: Predicted, method: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """The probability before and after each way of hiding, what each keeps, and the two curves."""
        maps = scene.maps(method, attribute)
        boxes = map_boxes(maps, [self.threshold], scene.images)
        points = point_boxes(scene, method)
        return [
            self._record(scene, place, heat, boxes[place][0], None if points is None else points[place])
            for place, heat in enumerate(maps)
        ]

    def _record(
        self,
        scene: Predicted,
        place: int,
        heat: Map,
        box: NDArray[np.float64],
        points: NDArray[np.float64] | None,
    ) -> dict[str, ArrayLike]:
        image, inputs, target = scene.images[place], scene.inputs[place], int(scene.targets[place])
        fills = {name: fill(inputs, scene.subject) for name, fill in FILLS.items()}
        kept = self._kept(image, heat, box, points)
        pictures = (inputs.where(mask.to(inputs.device), fill) for mask, fill in product(kept.values(), fills.values()))
        after = probabilities_of(scene.subject, pictures, target).reshape(len(kept), len(fills))
        record: dict[str, ArrayLike] = {
            "before": float(scene.certainty[place]),
            "regions": list(kept),
            "after": after,
            "kept": [float(mask.double().mean()) for mask in kept.values()],
        }
        if self.curves:
            for name, start, end in (("insertion", fills["blurred"], inputs), ("deletion", inputs, fills["mean"])):
                record[name] = curve(scene.subject, start, end, heat, self.step, target).astype(np.float32)
        return record

    def _kept(
        self, image: LabelledImage, heat: Map, box: NDArray[np.float64], points: NDArray[np.float64] | None
    ) -> dict[str, Tensor]:
        """The pixels that each way of hiding keeps, by its name."""
        size, shape = (image.width, image.height), (heat.shape[0], heat.shape[1])
        kept = {f"map > {self.threshold:g}": keep_box(box, size, shape)}
        if points is not None:
            kept["points"] = keep_box(points, size, shape)
        for area in AREAS:
            kept[f"box of {area:.0%}"] = keep_box(grow_box(box, area, size), size, shape)
            kept[f"highest {area:.0%}"] = keep_highest(heat, area)
        return kept

    def result(self, found: Found, seed: int) -> Result:
        """How every method did, by its own box, at equal area, and along the curves."""
        rows = dict(self._rows(found))
        table = Comparison(
            "Change of confidence when the rest is hidden",
            {
                "method": "the attribution method",
                "region": "what is kept: the method's own box, its box grown to an area, or its map's highest pixels",
                "hidden": "what takes the place of the rest",
            },
            [INCREASED, DROP, KEPT],
            rows,
            found.sample,
            next(iter(found.records)),
            seed,
            ("A large box loses little: of rows of different kept, only those of equal area can be compared.",),
        ).table()
        if not self.curves:
            alike = only(table, region="box of 50%", hidden="mean")
            sentence = verdict(alike, INCREASED, "raises the network's confidence most often")
            return Result("Does what was explained suffice?", sentence, (table,))
        areas = Comparison(
            "Insertion and deletion",
            {"method": "the attribution method"},
            [INSERTION, DELETION],
            {
                (method,): {
                    name: np.array([area_under(values) for values in found.values(method, name)])
                    for name in ("insertion", "deletion")
                }
                for method in found.records
            },
            found.sample,
            next(iter(found.records)),
            seed,
            ("Higher is better of insertion, lower of deletion.",),
        ).table()
        sentence = verdict(areas, INSERTION, "finds the pixels that make the network sure soonest (insertion)")
        return Result("Does what was explained suffice?", sentence, (table, areas), (_curves(found),))

    @staticmethod
    def _rows(found: Found) -> Iterator[tuple[Key, dict[str, NDArray[np.float64]]]]:
        for method in found.records:
            before = found.values(method, "before")
            after, kept = found.values(method, "after"), found.values(method, "kept")
            for region, name in enumerate(found.values(method, "regions")[0]):
                for place, hidden in enumerate(FILLS):
                    lost = np.maximum(before - after[:, region, place], 0) / before
                    yield (
                        (method, str(name), hidden),
                        {
                            "increased": (after[:, region, place] > before).astype(np.float64),
                            "average_drop": lost,
                            "kept": kept[:, region],
                        },
                    )


def _curves(found: Found) -> Picture:
    """The mean curves of all methods."""
    panels = {
        name: [Line(method, found.values(method, name).mean(0)) for method in found.records]
        for name in ("insertion", "deletion")
    }
    return Picture(
        "Insertion and deletion",
        "Mean probability of the class while the pixels are shown (insertion: the sooner it rises, the better) or "
        "hidden (deletion: the sooner it falls, the better) in the order of each map.",
        plot(panels, "share of the pixels changed", "probability of the class"),
    )
