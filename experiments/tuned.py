"""Methods compared alike: each one's read-off is chosen on some images and judged on others.

A read-off is what stands between a map and a box or a point: the variant of the method (a layer, where it has several;
the size of the input and the mirror image, where they are asked for), the spread of the blur and the cut. It decides as
much as the method does. Here every method gets the best that it can have on the images it is tuned on.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from experiments.compare import paired_difference
from experiments.evaluation import Predicted, Target, predict
from experiments.maps import holds
from experiments.methods import Method, Subject, Variants
from experiments.readoff import CUTS, SPREADS, boxes, peaks
from experiments.records import Found
from experiments.result import Measured, Result
from tracer.config import Cut
from tuner.datasets import LabelledImage

BASELINE = "whole image"
"""Needs no network: its box is the whole image, its point the middle."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What every read-off of a method came to on every image.

    Args:
        read_offs: Name of each read-off, shape (variants, spreads, cuts).
        overlaps: IOU of its box with the best-overlapping instance, float32 of shape (images, variants, spreads, cuts).
        hits: Whether the peak lies in an instance, bool of shape (images, variants, spreads, 1): no cut moves a peak.
    """

    read_offs: NDArray[np.str_]
    overlaps: NDArray[np.float32]
    hits: NDArray[np.bool_]


@dataclass(frozen=True)
class Measure:
    """What a method may be tuned by and judged by.

    Args:
        of: Value of every read-off on every image, shape (images, variants, spreads, cuts or 1).
        counts: Whether an image is hit or missed; otherwise values lie between.
        scale: What values are shown in: 100 for percent.
    """

    of: Callable[[Readings], NDArray[Any]]
    counts: bool = True
    scale: int = 100


MEASURES = {
    "iou-30": Measure(lambda readings: readings.overlaps >= 0.3),
    "iou-50": Measure(lambda readings: readings.overlaps >= 0.5),
    "iou-70": Measure(lambda readings: readings.overlaps >= 0.7),
    "maxboxacc": Measure(
        lambda readings: np.mean([readings.overlaps >= iou for iou in (0.3, 0.5, 0.7)], axis=0), counts=False
    ),
    "mean-iou": Measure(lambda readings: readings.overlaps, counts=False, scale=1),
    "pointing": Measure(lambda readings: readings.hits),
}
"""Share of images with IOU ≥ 0.3, 0.5, 0.7; the mean of the three (MaxBoxAccV2 of Choe et al. 2020, but with one
read-off for all three); mean IOU; pointing game."""


@dataclass(frozen=True)
class Judged:
    """How a method did, by one measure, on the images that it was not tuned on.

    Args:
        measure: The measure, of :data:`MEASURES`.
        method: The attribution method, or :data:`BASELINE`.
        read_off: What was chosen for it: variant, spread, cut. A spread is in pixels at a height of 256.
        images: How many images it was judged on.
        value: The measure: percent, or an IOU.
        difference: The value less that of the first method.
        low: Lower end of the difference's paired 95% interval.
        high: Upper end.
    """

    measure: str
    method: str
    read_off: str
    images: int
    value: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Sized:
    """A batch of images as they are explained.

    Args:
        scene: The images, classified.
        inputs: They as the network takes them at each size, shape (b, 3, side, side), by what read-offs call the size.
    """

    scene: Predicted
    inputs: Mapping[str, Tensor]


@dataclass(frozen=True)
class Tuned:
    """All read-offs of all variants of a method's maps.

    Args:
        target: The class to explain.
        sides: Heights, which are the widths too, of the input that maps are made at; the network's own without any.
        flip: Whether the mean of the maps of an image and of its mirror image is a variant too.
    """

    target: Target = "predicted"
    sides: tuple[int, ...] = ()
    flip: bool = False

    name: ClassVar = "tuned"
    variants: ClassVar = True

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {"target": self.target, "sides": self.sides, "flip": self.flip, "spreads": SPREADS, "cuts": CUTS}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Sized:
        """The images, classified at the network's own size, and the inputs of every size."""
        scene = predict(subject, images, self.target)
        sized = {f"input {side}": scene.resized(side) for side in self.sides}
        return Sized(scene, sized or {"": scene.inputs})

    def record(self, seen: Sized, _: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """What every read-off came to. Maps are dropped as soon as they are read."""
        maps = {name: values.cpu().numpy() for name, values in self._maps(seen, attribute)}
        return [
            read_maps({name: values[place] for name, values in maps.items()}, image)
            for place, image in enumerate(seen.scene.images)
        ]

    def _maps(self, seen: Sized, attribute: Variants) -> Iterator[tuple[str, Tensor]]:
        """The maps of all variants by the size of the input, whether mirrored, and the method's own name for them."""
        for size, inputs in seen.inputs.items():
            found = attribute(inputs, seen.scene.targets)
            for name, values in found.items():
                yield _joined(size, name), values
            if self.flip:
                mirrored = attribute(inputs.flip(3), seen.scene.targets)
                for name, values in found.items():
                    yield _joined(size, "flip", name), _unit(values) + _unit(mirrored[name].flip(2))


def read_maps(
    maps: Mapping[str, NDArray[np.float32]],
    image: LabelledImage,
    spreads: Sequence[float] = SPREADS,
    cuts: Sequence[Cut] = CUTS,
) -> dict[str, ArrayLike]:
    """All read-offs of the maps of a method's variants: their names, overlaps and hits, as in :class:`Readings`."""
    size = (image.width, image.height)
    hits = [[[holds(image.boxes, *point)] for point in peaks(heat, spreads, size)] for heat in maps.values()]
    return {
        "read_offs": [[[_name(variant, spread, cut) for cut in cuts] for spread in spreads] for variant in maps],
        "overlaps": overlap(np.array([boxes(heat, spreads, cuts, size) for heat in maps.values()]), image.boxes),
        "hits": hits,
    }


def readings(found: Found) -> dict[str, Readings]:
    """The readings of all images by every method, after the baseline's."""
    baseline = [_read_baseline(image) for image in found.images]
    overlaps, hits = (np.array(part) for part in zip(*baseline, strict=True))
    return {BASELINE: Readings(np.array([[[""]]]), overlaps, hits)} | {
        method: Readings(records[0]["read_offs"], found.values(method, "overlaps"), found.values(method, "hits"))
        for method, records in found.records.items()
    }


def judge(
    readings: dict[str, Readings],
    tuned_on: int,
    *,
    criterion: str,
    measures: Sequence[str] = tuple(MEASURES),
    random: np.random.Generator,
) -> list[Judged]:
    """Every method by every measure on the images after the first ``tuned_on``.

    Each method's read-off is the one with the highest mean of the criterion on those first images; of equal ones the
    first.

    Args:
        readings: The baseline's and every method's; differences are to the first method after the baseline.
        tuned_on: How many of the images are for choosing.
        criterion: The measure to choose by.
        measures: The measures to judge by.
        random: Of the bootstrap.
    """
    chosen = {name: _choose(MEASURES[criterion].of(found)[:tuned_on]) for name, found in readings.items()}
    return [row for measure in measures for row in _rows(measure, readings, chosen, tuned_on, random)]


def result(rows: Sequence[Judged], criterion: str) -> Result:
    """The rows as a table, and which method is best by the measure that read-offs were chosen by."""
    table = Measured("Methods tuned alike", [asdict(row) for row in rows], columns=COLUMNS)
    own = [row for row in rows if row.measure == criterion]
    best = max(own, key=lambda row: row.value)
    verdict = (
        f"Each at its best read-off, {best.method} comes out best on {best.images} other images: "
        f"{criterion} {best.value:.3g}."
    )
    return Result("How do methods compare when each is tuned alike?", verdict, (table,))


def overlap(found: NDArray[np.float64], instances: NDArray[np.float64]) -> NDArray[np.float32]:
    """IOU of boxes (..., 4) with the best-overlapping of the instances (n, 4), shape (...); 0 for an empty box."""
    corners = np.maximum(found[..., None, :2], instances[:, :2]), np.minimum(found[..., None, 2:], instances[:, 2:])
    common = np.prod(np.maximum(corners[1] - corners[0], 0), axis=-1)
    area, areas = (np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (found, instances))
    best: NDArray[np.float32] = (common / (area[..., None] + areas - common)).max(axis=-1).astype(np.float32)
    return best


COLUMNS = {
    "measure": "share of images with IOU ≥ 0.3, 0.5, 0.7 (percent); their mean; mean IOU; pointing game (percent)",
    "method": "the attribution method, or the box and the middle of the whole image",
    "read_off": "what was chosen for it: variant, spread of the blur, cut",
    "images": "images it was judged on",
    "value": "the measure",
    "difference": "the value less that of the first method",
    "low": "lower end of the difference's paired 95% interval; none where no image differs",
    "high": "its upper end",
}

_Reading = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Overlaps and hits of a method on one image, as in :class:`Readings`."""


def _read_baseline(image: LabelledImage) -> _Reading:
    """The box of the whole image and its middle point, as the only read-off."""
    overlaps = overlap(np.array([[[[0.0, 0.0, image.width, image.height]]]]), image.boxes)
    return overlaps, np.array([[[holds(image.boxes, image.width / 2, image.height / 2)]]])


def _name(variant: str, spread: float, cut: Cut) -> str:
    return _joined(variant, f"spread {spread:g}", f"cut {cut}")


def _joined(*parts: str) -> str:
    """The parts that say something."""
    return ", ".join(filter(None, parts))


def _unit(maps: Tensor) -> Tensor:
    """Maps that each sum to 1, or to 0 where there is nothing: shape (b, h, w)."""
    return maps / maps.sum((1, 2), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)


def _choose(values: NDArray[Any]) -> tuple[int, ...]:
    """The read-off with the highest mean over the images (the first axis)."""
    means = values.mean(axis=0)
    return tuple(int(place) for place in np.unravel_index(means.argmax(), means.shape))


def _rows(
    measure: str,
    readings: dict[str, Readings],
    chosen: dict[str, tuple[int, ...]],
    tuned_on: int,
    random: np.random.Generator,
) -> Iterator[Judged]:
    """Every method by one measure."""
    by = MEASURES[measure]
    values = {name: _at(by.of(found)[tuned_on:], chosen[name]) for name, found in readings.items()}
    first = next(name for name in values if name != BASELINE)
    for name, found in values.items():
        gained = (math.nan, math.nan, math.nan)
        if name != first:
            gains = found - values[first]
            gained = paired_difference(gains, None if by.counts else random)
        shown = [by.scale * figure for figure in (float(found.mean()), *gained)]
        yield Judged(measure, name, str(readings[name].read_offs[chosen[name]]), len(found), *shown)


def _at(values: NDArray[Any], place: tuple[int, ...]) -> NDArray[np.float64]:
    """The values of one read-off on every image; the last axis has one place where the cut does not matter."""
    variant, spread, cut = place
    return values[:, variant, spread, min(cut, values.shape[3] - 1)].astype(np.float64)
