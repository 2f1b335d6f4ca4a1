"""Images as a network sees them, and the two measures taken of their boxes and points."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.errors import SettingError
from experiments.evaluation import Predicted, predict
from experiments.localisation import Localisation
from experiments.methods import Method, Subject, Variants, find_method
from experiments.pointing_game import PointingGame
from experiments.records import Found
from experiments.sampling import Sample
from tuner.datasets import ImageList, LabelledImage

ONE = Method("one", "made", "", pixelwise=False)


def image(boxes: list[list[float]]) -> LabelledImage:
    return LabelledImage("made", 0, np.array(boxes, dtype=np.float64), 100, 100, lambda: None)  # type: ignore[arg-type, return-value]


def corner(size: int) -> np.ndarray:
    saliency = np.zeros((10, 10))
    saliency[:size, :size] = 1
    return saliency


def measured(
    experiment: Localisation | PointingGame, made: Sequence[tuple[list[list[float]], np.ndarray]]
) -> list[dict]:
    """The rows that an experiment makes of images with one map each."""
    images, maps = [image(boxes) for boxes, _ in made], torch.tensor(np.array([heat for _, heat in made]))
    attribute: Variants = lambda batch, targets: {"": maps}  # noqa: E731
    nothing = torch.zeros(len(images), dtype=torch.int64)
    scene = Predicted(None, images, torch.zeros(0), nothing, torch.ones(len(images), 1))  # type: ignore[arg-type]
    records = experiment.record(scene, ONE, attribute)
    found = Found(Sample.of(images), {"one": [{k: np.asarray(v) for k, v in each.items()} for each in records]})
    return experiment.result(found, 0).tables[0].rows


def test_predicted_class_and_its_probability_are_known(subject: Subject, bright_images: ImageList) -> None:
    scene = predict(subject, bright_images.images, "predicted")
    assert scene.inputs.shape == (3, 3, 32, 32)
    assert scene.predicted.tolist() == scene.targets.tolist() == [0, 0, 0]
    assert bool(((scene.certainty > 0.5) & (scene.certainty < 1)).all())


def test_label_is_explained_where_asked(subject: Subject, bright_images: ImageList) -> None:
    scene = predict(subject, [bright_images[1]], "label")
    assert (scene.targets.tolist(), scene.predicted.tolist()) == ([1], [0])


def test_missing_label_is_refused_with_the_mend(subject: Subject, bright_images: ImageList) -> None:
    with pytest.raises(SettingError, match="box-4 has no label"):
        predict(subject, [replace(bright_images[0], label=None)], "label")


def test_maps_of_single_pixels_are_blurred(subject: Subject, bright_images: ImageList) -> None:
    scene = predict(subject, bright_images.images[:1], "predicted")
    spike = torch.zeros(1, 32, 32)
    spike[0, 16, 16] = 1
    (sharp,) = scene.maps(find_method("grad-cam"), lambda batch, targets: {"": spike})
    (smooth,) = scene.maps(find_method("saliency"), lambda batch, targets: {"": spike})
    assert (np.count_nonzero(sharp), sharp.dtype) == (1, np.float64)
    assert np.count_nonzero(smooth > 0.5) > 10


def test_localisation_rates_boxes_of_maps_and_the_whole_image() -> None:
    made = [([[0, 0, 40, 40]], corner(4)), ([[0, 0, 80, 80]], corner(4)), ([[0, 0, 90, 90]], corner(10))]
    whole, one = measured(Localisation([0.5]), made)
    assert (whole["method"], whole["images"]) == ("whole image", 3)
    assert whole["success"] == pytest.approx(200 / 3)
    assert whole["mean_iou"] == pytest.approx((0.16 + 0.64 + 0.81) / 3)
    assert whole["mean_iou_difference"] == pytest.approx(whole["mean_iou"] - one["mean_iou"])
    assert one["success"] == pytest.approx(200 / 3)
    assert one["success_se"] == pytest.approx(100 * np.sqrt(2 / 9 / 3))
    assert one["mean_iou"] == pytest.approx((1 + 0.25 + 0.81) / 3)
    assert one["box"] == "map > 0.5"


def test_localisation_reports_each_methods_best_threshold_or_all() -> None:
    made = [([[0, 0, 40, 40]], corner(10) * 0.3 + corner(4))]
    assert [row["box"] for row in measured(Localisation([0.1, 0.5]), made)] == ["", "map > 0.5"]
    assert [row["success"] for row in measured(Localisation([0.1, 0.5], every=True), made)] == [0, 0, 100]


def test_box_around_points_lies_on_the_object(gather: Callable[..., Found], bright_images: ImageList) -> None:
    experiment = Localisation([0.2])
    rows = experiment.result(gather(experiment, "tracer", bright_images.images), 0).tables[0].rows
    boxes = {row["box"]: row for row in rows}
    assert boxes["points"]["images"] == 3
    assert boxes["points"]["mean_iou"] > boxes[""]["mean_iou"]


def test_pointing_game_counts_hits_and_the_centre() -> None:
    rows = measured(PointingGame(), [([[0, 0, 10, 10]], corner(1)), ([[40, 40, 60, 60]], corner(1))])
    assert [(row["method"], row["score"]) for row in rows] == [("centre", 50), ("one", 50)]
    assert rows[1]["score_se"] == pytest.approx(100 * np.sqrt(0.25 / 2))
