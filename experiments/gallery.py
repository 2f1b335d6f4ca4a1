"""The maps of many methods side by side, to be looked at (Figure 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from experiments.drawn import map_boxes
from experiments.evaluation import Predicted, Target, predict
from experiments.methods import Method, Subject, Variants
from experiments.pictures import Panel, coarse, grid, pixels_of, share_of
from experiments.records import Found
from experiments.result import Measured, Picture, Result
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou


@dataclass(frozen=True)
class Gallery:
    """Maps and boxes to be drawn.

    Args:
        threshold: The share of its maximum at which a map is cut for its box.
        target: The class to explain.
    """

    threshold: float = 0.2
    target: Target = "predicted"

    name: ClassVar = "gallery"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {"threshold": self.threshold, "target": self.target}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Predicted:
        """The images, classified."""
        return predict(subject, images, self.target)

    def record(self, scene: Predicted, method: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """The map, its box, and the class explained."""
        maps = scene.maps(method, attribute)
        boxes = map_boxes(maps, [self.threshold], scene.images)
        return [
            {
                "map": coarse(heat),
                "box": boxes[place][0],
                "iou": iou(boxes[place][0], image.boxes),
                "class": scene.subject.model.class_name(int(scene.targets[place])),
                "probability": float(scene.certainty[place]),
            }
            for place, (heat, image) in enumerate(zip(maps, scene.images, strict=True))
        ]

    def result(self, found: Found, seed: int) -> Result:  # noqa: ARG002 - as every experiment's
        """One page: a row an image, a column a method."""
        rows, figures = [], []
        for place, image in enumerate(found.images):
            pixels, truth = pixels_of(image), share_of(image.boxes, image)
            records = {method: records[place] for method, records in found.records.items()}
            one = next(iter(records.values()))
            row = [Panel(pixels, truth=truth, caption=f"{one['class']} {100 * float(one['probability']):.0f}%")]
            for method, record in records.items():
                box = share_of(record["box"], image)
                row.append(Panel(pixels, record["map"] / 255, box, truth, f"IOU {float(record['iou']):.2f}"))
                figures.append(
                    {"image": image.id, "class": str(one["class"]), "method": method, "iou": float(record["iou"])}
                )
            rows.append(row)
        table = Measured(
            "Images of the page",
            figures,
            columns={
                "image": "the image's id",
                "class": "the class explained",
                "method": "the attribution method",
                "iou": f"IOU of the map's box, cut at {self.threshold:g} of its maximum, with the object, 0 to 1",
            },
        )
        return Result(
            "What do the methods show?",
            f"{len(rows)} images, to be looked at: what a method is worth, the tables of many images say.",
            (table,),
            (
                Picture(
                    "Explanations side by side",
                    "Green: the object. Yellow: the box around the map's largest patch above "
                    f"{self.threshold:g} of its maximum.",
                    grid(rows, ["image", *found.records]),
                ),
            ),
        )
