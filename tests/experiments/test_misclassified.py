"""Where the network looked, on images whose object it sees and on others."""

from dataclasses import replace

import pytest

from experiments.errors import SettingError
from experiments.methods import Subject
from experiments.misclassified import Looked, groups, looked
from tuner.datasets import ImageList


def test_each_image_is_traced_for_both_classes(subject: Subject, bright_images: ImageList) -> None:
    right, wrong = looked(subject, [bright_images[0], bright_images[1]])  # their labels are 0 and 1; all are bright
    assert (right.right, right.predicted, right.same_place) == (True, "class 0", 1.0)
    assert right.iou == right.label_iou > 0.5
    assert (wrong.right, wrong.label, wrong.predicted) == (False, "class 1", "class 0")
    assert wrong.label_probability == pytest.approx(1 - wrong.probability)
    assert wrong.iou > 0.5 > wrong.same_place  # the evidence of the other class is the dark part


def test_groups_tell_right_from_wrong() -> None:
    row = Looked("a", True, "x", "x", 0.9, 0.9, 0.8, 0.8, 1.0)
    found = groups([row, replace(row, right=False, iou=0.2, label_iou=0.6, same_place=0.1), replace(row, iou=0.4)])
    assert [(group.prediction, group.images, group.success) for group in found] == [("right", 2, 50), ("wrong", 1, 0)]
    assert found[0].mean_iou == pytest.approx(0.6)
    assert (found[1].label_mean_iou, found[1].mean_same_place) == (0.6, 0.1)


def test_group_without_images_is_left_out() -> None:
    assert [group.prediction for group in groups([Looked("a", True, "x", "x", 0.9, 0.9, 0.8, 0.8, 1.0)])] == ["right"]


def test_image_without_label_is_named(subject: Subject, bright_images: ImageList) -> None:
    with pytest.raises(SettingError, match="box-4 has no label"):
        list(looked(subject, [replace(bright_images[0], label=None)]))
