"""How well the box that a method leaves overlaps the object."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.drawn import THRESHOLDS, drawn
from experiments.evaluation import Explained, rate
from experiments.methods import Subject
from tuner.datasets.boxes import iou


@dataclass(frozen=True)
class Localisation:
    """How a way to draw boxes did on all images.

    Args:
        method: The attribution method, or ``whole image``: the box around everything, which needs no network.
        box: ``map > T``: around the largest patch of the map above T times its maximum; ``points``: around the traced
            points that are no outliers.
        images: How many images.
        success: Share of images with IOU ≥ the threshold asked for, percent.
        success_se: Its standard error, percent.
        mean_iou: Mean over the images of the IOU with the best-overlapping instance.
        mean_iou_se: Its standard error.
    """

    method: str
    box: str
    images: int
    success: float
    success_se: float
    mean_iou: float
    mean_iou_se: float


def localisation(
    images: Iterable[Explained],
    *,
    points: Subject | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    wanted: float = 0.5,
    every: bool = False,
) -> list[Localisation]:
    """Success and mean IOU of every method, after the whole-image baseline.

    Args:
        images: The images with their maps.
        points: The traced network where the box around the tracer's points is to be rated too.
        thresholds: Where to cut the maps.
        wanted: The IOU that counts as success.
        every: Give every threshold instead of each method's best. The best is chosen on these very images, so it
            flatters each method alike.
    """
    overlaps: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in images:
        whole = (0, 0, one.image.width, one.image.height)
        overlaps["whole image", ""].append(iou(whole, one.image.boxes))
        for method, kind, box in drawn(one, thresholds, points):
            overlaps[method, kind].append(iou(box, one.image.boxes))
    rows = [_rated(method, box, found, wanted) for (method, box), found in overlaps.items()]
    return rows if every else _best(rows)


def _rated(method: str, box: str, overlaps: list[float], wanted: float) -> Localisation:
    success, error = rate([overlap >= wanted for overlap in overlaps])
    spread = float(np.std(overlaps) / np.sqrt(len(overlaps)))
    return Localisation(method, box, len(overlaps), success, error, float(np.mean(overlaps)), spread)


def _best(rows: list[Localisation]) -> list[Localisation]:
    """Each method's best threshold; other boxes stay as they are."""
    best: dict[tuple[str, bool], Localisation] = {}
    for row in rows:
        key = (row.method, row.box.startswith("map"))
        if key not in best or (row.success, row.mean_iou) > (best[key].success, best[key].mean_iou):
            best[key] = row
    return list(best.values())
