"""Methods tuned alike: what is read, what is chosen, what it is judged on."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from experiments.evaluation import Predicted
from experiments.methods import find_method
from experiments.records import Found
from experiments.sampling import Sample
from experiments.tuned import BASELINE, MEASURES, Judged, Readings, Sized, Tuned, judge, overlap, read_maps, readings
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou

CUTS = (0.1, 0.5)


Seen = tuple[LabelledImage, dict[str, dict[str, np.ndarray]]]
"""An image and the maps of each method's variants."""


def varied(box: list[float], **maps: dict[str, np.ndarray]) -> Seen:
    image = LabelledImage("made", 0, np.array([box], dtype=np.float64), 100, 100, lambda: None)  # type: ignore[arg-type, return-value]
    return image, maps


def read(images: list[Seen], spreads: tuple[float, ...], cuts: tuple[float, ...]) -> dict[str, Readings]:
    made = [{name: read_maps(each, image, spreads, cuts) for name, each in maps.items()} for image, maps in images]
    records = {name: [{key: np.asarray(value) for key, value in one[name].items()} for one in made] for name in made[0]}
    return readings(Found(Sample.of([image for image, _ in images]), records))


def hill(top: int, foot: int) -> np.ndarray:
    """A map of 10 x 10 blocks of 4 x 4 that is 1 in the upper left corner, and 0.3 around that."""
    heat = np.zeros((10, 10), dtype=np.float32)
    heat[:foot, :foot] = 0.3
    heat[:top, :top] = 1
    return np.kron(heat, np.ones((4, 4), dtype=np.float32))


def judged(rows: list[Judged], measure: str, method: str) -> Judged:
    (found,) = (row for row in rows if (row.measure, row.method) == (measure, method))
    return found


def test_every_read_off_of_every_image_is_kept() -> None:
    images = [varied([0, 0, 40, 40], one={"a": hill(4, 8), "b": hill(10, 10)}) for _ in range(3)]
    found = read(images, (0.0, 1.0), CUTS)
    assert list(found) == [BASELINE, "one"]
    assert found["one"].overlaps.shape == (3, 2, 2, 2)
    assert found["one"].hits.shape == (3, 2, 2, 1)
    np.testing.assert_allclose(found["one"].overlaps[0, :, 0], [[0.25, 1], [0.16, 0.16]])
    assert found["one"].read_offs[1, 0, 1] == "b, spread 0, cut 0.5"
    np.testing.assert_allclose(found[BASELINE].overlaps, 0.16)
    assert not found[BASELINE].hits.any()


def test_read_off_is_chosen_on_the_first_images_and_judged_on_the_others() -> None:
    fits_low, fits_high = [0, 0, 80, 80], [0, 0, 40, 40]
    boxes = [fits_low, fits_low, fits_high, fits_low, fits_high, fits_high]
    images = [varied(box, one={"": hill(4, 8)}) for box in boxes]
    rows = judge(read(images, (0.0,), CUTS), 3, criterion="iou-50", random=np.random.default_rng(0))
    assert [row.measure for row in rows[::2]] == list(MEASURES)
    row = judged(rows, "iou-50", "one")
    assert (row.read_off, row.images) == ("spread 0, cut 0.1", 3)
    assert row.value == pytest.approx(100 / 3)
    assert judged(rows, "mean-iou", "one").value == pytest.approx((1 + 0.25 + 0.25) / 3)
    assert judged(rows, "maxboxacc", "one").value == pytest.approx(100 / 3)
    assert judged(rows, "pointing", "one").value == 100


def test_variant_is_chosen_with_the_rest() -> None:
    images = [varied([0, 0, 40, 40], one={"deep": hill(10, 10), "shallow": hill(4, 8)}) for _ in range(2)]
    rows = judge(read(images, (0.0,), CUTS), 1, criterion="maxboxacc", random=np.random.default_rng(0))
    assert judged(rows, "iou-70", "one").read_off == "shallow, spread 0, cut 0.5"
    assert judged(rows, "iou-70", "one").value == 100


def test_mirrored_variant_is_the_mean_with_the_map_of_the_mirror_image() -> None:
    """A method that only ever sees the left half sees all of it together with its mirror image."""
    image, _ = varied([0, 0, 100, 100])
    left = torch.zeros(1, 40, 40)
    left[:, :, :20] = 7
    scene = Predicted(None, [image], torch.zeros(1, 3, 40, 40), torch.tensor([0]), torch.ones(1, 1))  # type: ignore[arg-type]
    seen = Sized(scene, {"": scene.inputs})
    (record,) = Tuned(flip=True).record(seen, find_method("saliency"), lambda *_: {"": left})
    found = {names[0, 0].split(", spread")[0]: overlaps[0] for names, overlaps in zip(*_of(record), strict=True)}
    assert found["spread 0, cut 0.02"].max() == pytest.approx(0.5)
    np.testing.assert_allclose(found["flip"], 1)


def _of(record: dict[str, ArrayLike]) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(record["read_offs"]), np.asarray(record["overlaps"])


def test_differences_are_to_the_first_method_on_the_same_images() -> None:
    images = [varied([0, 0, 40, 40], good={"": hill(4, 4)}, bad={"": hill(10, 10)}) for _ in range(12)]
    rows = judge(read(images, (0.0,), CUTS), 2, criterion="mean-iou", random=np.random.default_rng(0))
    assert math.isnan(judged(rows, "iou-50", "good").difference)
    worse = judged(rows, "iou-50", "bad")
    assert (worse.value, worse.difference, worse.low) == (0, -100, -100)
    assert worse.high < 0
    overlaps = judged(rows, "mean-iou", "bad")
    assert (overlaps.difference, overlaps.low, overlaps.high) == pytest.approx((-0.84,) * 3)
    assert judged(rows, "mean-iou", BASELINE).difference == pytest.approx(-0.84)


def test_measures_count_as_choe_and_others_do() -> None:
    made = Readings(
        np.array([[[""]]]), np.array([0.2, 0.3, 0.5, 0.7], dtype=np.float32).reshape(4, 1, 1, 1), np.ones((4, 1, 1, 1))
    )
    shares = {name: float(np.mean(measure.of(made))) for name, measure in MEASURES.items()}
    assert shares["iou-50"] == 0.5
    assert shares["mean-iou"] == pytest.approx(0.425)
    assert shares["maxboxacc"] == pytest.approx((shares["iou-30"] + 0.5 + shares["iou-70"]) / 3)


def test_overlaps_of_many_boxes_are_those_of_each() -> None:
    random = np.random.default_rng(0)
    corners = random.integers(0, 50, (5, 4, 2, 2)).astype(np.float64)
    boxes = np.sort(corners, axis=2).reshape(5, 4, 4)
    boxes[0, 0] = 0
    instances = np.array([[3.0, 4, 20, 30], [10, 10, 45, 20]])
    wanted = [[iou(box, instances) for box in row] for row in boxes]
    np.testing.assert_allclose(overlap(boxes, instances), wanted, rtol=1e-6)
