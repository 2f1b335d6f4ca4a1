"""Methods over labelled images, and the two measures taken from them."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.errors import MethodError, SettingError
from experiments.evaluation import Explained, explained, rate, varied
from experiments.localisation import localisation
from experiments.methods import Subject, find_method
from experiments.pointing_game import pointing_game
from tuner.datasets import ImageList, LabelledImage

METHODS = [find_method(name) for name in ("grad-cam", "saliency")]


def made(boxes: list[list[float]], saliency: np.ndarray) -> Explained:
    image = LabelledImage("made", 0, np.array(boxes, dtype=np.float64), 100, 100, lambda: None)  # type: ignore[arg-type, return-value]
    return Explained(image, 0, 0, 1.0, {"one": saliency.astype(np.float32)})


def corner(size: int) -> np.ndarray:
    saliency = np.zeros((10, 10))
    saliency[:size, :size] = 1
    return saliency


def test_every_image_comes_with_a_map_of_every_method(subject: Subject, bright_images: ImageList) -> None:
    found = list(explained(subject, METHODS, [bright_images[index] for index in (2, 0, 1)], batch=2))
    assert [one.image.id for one in found] == ["box-10", "box-4", "box-30"]
    assert all(set(one.maps) == {"grad-cam", "saliency"} for one in found)
    assert all(one.maps["saliency"].shape == (32, 32) for one in found)
    assert all(one.target == one.predicted == 0 and 0.5 < one.probability < 1 for one in found)


def test_batches_do_not_change_maps(subject: Subject, bright_images: ImageList) -> None:
    alone, together = (list(explained(subject, METHODS, bright_images.images, batch=batch)) for batch in (1, 3))
    for one, other in zip(alone, together, strict=True):
        for name in one.maps:
            np.testing.assert_allclose(one.maps[name], other.maps[name], atol=1e-5)


def test_label_is_explained_where_asked(subject: Subject, bright_images: ImageList) -> None:
    (found,) = explained(subject, METHODS[1:], [bright_images[1]], target="label")
    assert (found.target, found.predicted) == (1, 0)


def test_missing_label_is_refused_with_the_mend(subject: Subject, bright_images: ImageList) -> None:
    unlabelled = [replace(bright_images[0], label=None)]
    with pytest.raises(SettingError, match="box-4 has no label"):
        list(explained(subject, METHODS, unlabelled, target="label"))


def test_method_that_cannot_explain_the_network_is_left_out_with_a_line(
    subject: Subject, bright_images: ImageList, caplog: pytest.LogCaptureFixture
) -> None:
    methods = [find_method("cam"), *METHODS]
    found = list(explained(subject, methods, bright_images.images))
    assert all(list(one.maps) == ["grad-cam", "saliency"] for one in found)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["cam is left out"]


def test_methods_of_which_none_can_explain_the_network_are_refused(subject: Subject, bright_images: ImageList) -> None:
    with pytest.raises(MethodError, match="none of the methods"):
        list(explained(subject, [find_method("cam")], bright_images.images))


def test_variants_come_with_their_names_and_as_they_are(subject: Subject, bright_images: ImageList) -> None:
    (one,) = varied(subject, METHODS, bright_images.images[:1])
    assert {name: list(variants) for name, variants in one.maps.items()} == {"grad-cam": ["32 x 32"], "saliency": [""]}
    assert one.maps["saliency"][""].dtype == np.float32


def test_localisation_rates_boxes_of_maps_and_the_whole_image() -> None:
    images = [made([[0, 0, 40, 40]], corner(4)), made([[0, 0, 80, 80]], corner(4)), made([[0, 0, 90, 90]], corner(10))]
    whole, one = localisation(images, thresholds=[0.5])
    assert (whole.method, whole.images) == ("whole image", 3)
    assert whole.success == pytest.approx(200 / 3)
    assert whole.mean_iou == pytest.approx((0.16 + 0.64 + 0.81) / 3)
    assert one.success == pytest.approx(200 / 3)
    assert one.success_se == pytest.approx(100 * np.sqrt(2 / 9 / 3))
    assert one.mean_iou == pytest.approx((1 + 0.25 + 0.81) / 3)
    assert one.box == "map > 0.5"


def test_localisation_reports_each_methods_best_threshold_or_all() -> None:
    ramp = corner(10) * 0.3 + corner(4)
    images = [made([[0, 0, 40, 40]], ramp)]
    assert [row.box for row in localisation(images, thresholds=[0.1, 0.5])] == ["", "map > 0.5"]
    assert [row.success for row in localisation(images, thresholds=[0.1, 0.5], every=True)] == [0, 0, 100]


def test_box_around_points_lies_on_the_object(subject: Subject, bright_images: ImageList) -> None:
    found = list(explained(subject, [find_method("tracer")], bright_images.images))
    rows = {(row.method, row.box): row for row in localisation(found, points=subject, thresholds=[0.2])}
    assert rows["tracer", "points"].images == 3
    assert rows["tracer", "points"].mean_iou > rows["whole image", ""].mean_iou


def test_pointing_game_counts_hits_and_the_centre() -> None:
    rows = pointing_game([made([[0, 0, 10, 10]], corner(1)), made([[40, 40, 60, 60]], corner(1))])
    assert [(row.method, row.hits, row.score) for row in rows] == [("centre", 1, 50), ("one", 1, 50)]


def test_rate_has_the_binomial_standard_error() -> None:
    assert rate([True, False, False, False]) == (25.0, pytest.approx(100 * np.sqrt(0.25 * 0.75 / 4)))
