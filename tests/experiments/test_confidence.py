"""What is left of a class's probability inside a box."""

import numpy as np
import torch

from experiments.confidence import confidence, occlude
from experiments.evaluation import explained
from experiments.methods import Subject, find_method
from tuner.datasets import ImageList


def test_everything_outside_the_box_becomes_the_mean_colour() -> None:
    kept = occlude(torch.ones(3, 4, 8), np.array([10.0, 0, 30, 20]), width=40, height=40)
    assert kept.sum() == 3 * 2 * 4
    assert bool((kept[:, 0:2, 2:6] == 1).all())


def test_empty_box_keeps_nothing() -> None:
    assert occlude(torch.ones(3, 4, 8), np.zeros(4), 40, 40).sum() == 0


def test_keeping_the_evidence_loses_nothing_and_cutting_it_does(subject: Subject, bright_images: ImageList) -> None:
    images = list(explained(subject, [find_method("grad-cam")], bright_images.images))
    (row,) = confidence(subject, images, points=False, threshold=0.2)
    assert (row.method, row.box, row.images) == ("grad-cam", "map > 0.2", 3)
    assert row.average_drop < 2  # black is the mean colour here, so only blurred edges change
    assert 10 < row.kept < 40

    for one in images:
        one.maps["grad-cam"][:] = 0
        one.maps["grad-cam"][:3, :3] = 1  # a corner without evidence
    (row,) = confidence(subject, images, points=False, threshold=0.2)
    assert row.average_drop > 5
    assert row.increased == 0
