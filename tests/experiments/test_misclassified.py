"""Where networks looked, on images whose object they see and on others."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from experiments.errors import SettingError
from experiments.methods import Subject
from experiments.misclassified import Misclassified, one_network, two_networks
from experiments.records import Found
from experiments.sampling import Sample
from tuner.datasets import ImageList


def test_each_image_is_traced_for_both_classes(gather: Callable[..., Found], bright_images: ImageList) -> None:
    found = gather(Misclassified(), "tracer", bright_images.images[:2])  # their labels are 0 and 1; all are bright
    right, wrong = found.records["tracer"]
    assert (right["right"], right["predicted"], right["same_place"], right["outside"]) == (True, "class 0", 1.0, False)
    assert right["mean_iou"] == right["label_mean_iou"] > 0.5
    assert (wrong["right"], wrong["label"], wrong["predicted"]) == (False, "class 1", "class 0")
    assert wrong["label_probability"] == pytest.approx(1 - wrong["probability"])
    assert wrong["mean_iou"] > 0.5 > wrong["same_place"]  # the evidence of the other class is the dark part


def made(images: ImageList, *rows: tuple[bool, bool]) -> Found:
    """Records of images, each right or wrong, with the evidence outside the object or inside."""
    records = [
        {
            "right": np.array(right),
            "outside": np.array(outside),
            "success": np.array(not outside),
            "mean_iou": np.array(0.0 if outside else 0.8),
            "label_mean_iou": np.array(0.6),
            "same_place": np.array(1.0 if right else 0.1),
            "label": np.array("fox"),
            "predicted": np.array("fox" if right else "cat"),
            "probability": np.array(0.9),
            "box": np.array([0.0, 0, 32, 32]),
            "map": np.zeros((56, 56), np.uint8),
        }
        for right, outside in rows
    ]
    return Found(Sample.of(images.images), {"tracer": records})


def test_groups_tell_right_from_wrong(bright_images: ImageList) -> None:
    result = one_network(made(bright_images, (True, False), (False, True), (True, True)), "net")
    assert result.verdict == "net was wrong on 1 images and looked outside the object on 1 of them."
    right, wrong = result.tables[0].rows
    assert (right["prediction"], right["images"], right["success"], right["outside"]) == ("right", 2, 50, 50)
    assert (wrong["label_mean_iou"], wrong["same_place"]) == (0.6, 0.1)


def test_group_without_images_is_left_out(bright_images: ImageList) -> None:
    (table,) = one_network(made(bright_images, *[(True, False)] * 3), "net").tables
    assert [row["prediction"] for row in table.rows] == ["right"]


def test_two_networks_are_counted_where_just_one_is_right(bright_images: ImageList) -> None:
    one = made(bright_images, (True, False), (False, True), (True, False))
    other = made(bright_images, (False, True), (False, True), (False, False))
    result = two_networks({"one": one, "other": other})
    apart = {(row["network"], row["prediction"]): row for row in result.tables[0].rows}
    assert apart["other", "wrong where the other is right"]["images"] == 2
    assert apart["other", "wrong where the other is right"]["outside"] == 50
    assert apart["one", "wrong where the other is right"]["images"] == 0
    assert "other was wrong where the other is right on 2 images and looked outside the object on 1" in result.verdict
    assert [picture.png[:4] for picture in result.pictures] == [b"\x89PNG"]


def test_image_without_label_is_named(subject: Subject, bright_images: ImageList) -> None:
    with pytest.raises(SettingError, match="box-4 has no label"):
        Misclassified().look(subject, [replace(bright_images[0], label=None)])
