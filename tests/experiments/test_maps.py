"""What is read off a map, by hand."""

import numpy as np
import pytest

from experiments.maps import holds, map_box, peak, smooth


def test_peak_is_the_middle_of_the_highest_pixel_in_the_image() -> None:
    saliency = np.zeros((4, 8), dtype=np.float32)
    saliency[1, 6] = 1
    assert peak(saliency, width=80, height=20) == (65.0, 7.5)


def test_peak_of_ties_is_the_first_in_row_major_order() -> None:
    assert peak(np.ones((3, 3), dtype=np.float32), 3, 3) == (0.5, 0.5)


def test_box_surrounds_the_largest_patch_that_touches_by_corners() -> None:
    saliency = np.zeros((6, 6), dtype=np.float32)
    saliency[0, 5] = 10  # highest, but alone
    saliency[[2, 3, 4], [1, 2, 3]] = 5
    assert map_box(saliency, 0.3, width=12, height=6).tolist() == [2, 2, 8, 5]


def test_box_takes_only_what_exceeds_the_threshold() -> None:
    saliency = np.array([[1, 2, 4]], dtype=np.float32)
    assert map_box(saliency, 0.5, 3, 1).tolist() == [2, 0, 3, 1]
    assert map_box(saliency, 0.0, 3, 1).tolist() == [0, 0, 3, 1]


def test_map_of_zeros_leaves_an_empty_box() -> None:
    assert map_box(np.zeros((3, 3), dtype=np.float32), 0.2, 9, 9).tolist() == [0, 0, 0, 0]


def test_blur_loses_what_falls_over_the_border() -> None:
    middle, corner = np.zeros((2, 65, 65), dtype=np.float32)
    middle[32, 32] = corner[0, 0] = 1
    assert smooth(middle).sum() == pytest.approx(1, abs=1e-3)
    assert smooth(corner).sum() < 0.35
    assert smooth(corner).argmax() == 0


def test_half_open_box_holds_its_first_edge_and_not_its_last() -> None:
    boxes = np.array([[1.0, 2, 3, 4], [10, 10, 11, 11]])
    assert holds(boxes, 1, 2)
    assert holds(boxes, 10.5, 10.5)
    assert not holds(boxes, 3, 3)
    assert not holds(boxes, 2, 4)
