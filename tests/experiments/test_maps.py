"""What is read off a map, by hand."""

import numpy as np
import pytest

from experiments.maps import holds, peak, smooth


def test_peak_is_the_middle_of_the_highest_pixel_in_the_image() -> None:
    saliency = np.zeros((4, 8), dtype=np.float32)
    saliency[1, 6] = 1
    assert peak(saliency, width=80, height=20) == (65.0, 7.5)


def test_peak_of_ties_is_the_first_in_row_major_order() -> None:
    assert peak(np.ones((3, 3), dtype=np.float32), 3, 3) == (0.5, 0.5)


def test_blur_loses_what_falls_over_the_border() -> None:
    middle, corner = np.zeros((2, 65, 65), dtype=np.float32)
    middle[32, 32] = corner[0, 0] = 0.5
    assert smooth(corner, 65, 65).argmax() == 0
    assert smooth(corner, 65, 65).sum() < 0.35 * smooth(middle, 65, 65).sum()


def test_blur_is_round_in_the_original_image() -> None:
    values = np.zeros((33, 33), dtype=np.float32)
    values[16, 16] = 1
    heat = smooth(values, width=66, height=33)
    assert heat[16, 16 + 2] == pytest.approx(heat[16 + 4, 16])


def test_map_of_zeros_stays_zero() -> None:
    assert not smooth(np.zeros((4, 4), dtype=np.float32), 8, 8).any()


def test_half_open_box_holds_its_first_edge_and_not_its_last() -> None:
    boxes = np.array([[1.0, 2, 3, 4], [10, 10, 11, 11]])
    assert holds(boxes, 1, 2)
    assert holds(boxes, 10.5, 10.5)
    assert not holds(boxes, 3, 3)
    assert not holds(boxes, 2, 4)
