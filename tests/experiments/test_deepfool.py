"""Maps through an attack: who is attacked, how far, and what the control is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.deepfool import DeepFool, _correlation, _inside, _overlap
from experiments.evaluation import probabilities
from experiments.gallery import Gallery
from experiments.methods import Subject
from experiments.records import Found
from tuner.datasets import ImageList, LabelledImage

pytest.importorskip("foolbox")


@pytest.fixture
def labelled(bright_images: ImageList) -> list[LabelledImage]:
    """An image that DeepFool cannot fool the network on, one that it can, and one that the network gets wrong."""
    return [replace(image, label=label) for image, label in zip(bright_images.images, (0, 0, 1), strict=True)]


def test_right_predictions_alone_are_attacked(subject: Subject, labelled: list[LabelledImage]) -> None:
    scene = DeepFool().look(subject, labelled)
    assert scene.right.tolist() == [True, True, False]
    assert scene.fooled.tolist() == [False, True, False]
    assert probabilities(subject, scene.changed["attack"]).argmax(1).tolist() == [0, 1, 0]
    assert scene.ratio[2] == 0
    assert bool(((scene.changed["attack"] >= 0) & (scene.changed["attack"] <= 1)).all())


def test_noise_has_the_norm_of_the_attack_and_is_always_the_same(
    subject: Subject, labelled: list[LabelledImage]
) -> None:
    scene, again = (DeepFool().look(subject, images) for images in (labelled, labelled[:1]))
    change = {name: (scene.changed[name] - scene.changed[""]).flatten(1).norm(dim=1) for name in ("attack", "noise")}
    torch.testing.assert_close(change["noise"], change["attack"], rtol=0.05, atol=1e-6)
    torch.testing.assert_close(scene.changed["noise"][:1], again.changed["noise"])


def test_network_is_left_without_gradients(subject: Subject, labelled: list[LabelledImage]) -> None:
    DeepFool().look(subject, labelled)
    assert all(each.requires_grad and each.grad is None for each in subject.module.parameters())


def test_result_counts_compares_and_draws(gather: Callable[..., Found], labelled: list[LabelledImage]) -> None:
    experiment = DeepFool()
    result = experiment.result(gather(experiment, "tracer,random", labelled), 0)
    fooling, maps, control = result.tables
    assert [row["images"] for row in fooling.rows] == [1, 1]
    assert "1 of 3 images" in fooling.notes[0]
    rows = {(row["method"], row["class"], row["change"]): row for row in maps.rows}
    assert all(row["images"] == 1 for row in rows.values())
    assert rows["tracer", "old", "noise"]["rank_correlation"] > rows["random", "old", "noise"]["rank_correlation"]
    assert rows["tracer", "old", "attack"]["share_before"] > 50  # its evidence is the bright object
    assert [row["images"] for row in control.rows] == [1] * 4
    assert result.pictures[0].png.startswith(b"\x89PNG")


def test_no_fooled_image_is_said(gather: Callable[..., Found], labelled: list[LabelledImage]) -> None:
    experiment = DeepFool()
    result = experiment.result(gather(experiment, "tracer", labelled[2:]), 0)
    assert (len(result.tables), result.pictures) == (1, ())
    assert "No image was fooled" in result.verdict


def test_overlap_and_correlation_of_maps() -> None:
    heat = np.arange(400.0).reshape(20, 20)
    assert (_overlap(heat, heat), _overlap(heat, -heat)) == (1, 0)
    assert (_correlation(heat, 2 * heat), _correlation(heat, -heat)) == (1, -1)
    assert np.isnan(_correlation(heat, np.zeros((20, 20))))


def test_inside_is_the_union_of_the_boxes(bright_images: ImageList) -> None:
    image = replace(bright_images[0], boxes=np.array([[0.0, 0, 32, 32], [0, 0, 64, 16]]))
    assert _inside(image, (4, 4)).tolist() == [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_gallery_is_one_page_of_all_methods(gather: Callable[..., Found], bright_images: ImageList) -> None:
    experiment = Gallery()
    result = experiment.result(gather(experiment, "grad-cam,centre-prior", bright_images.images), 0)
    assert [row["method"] for row in result.tables[0].rows] == ["grad-cam", "centre-prior"] * 3
    (page,) = result.pictures
    assert page.png.startswith(b"\x89PNG")
    assert "3 images, to be looked at" in result.verdict
