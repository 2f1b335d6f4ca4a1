import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.datasets.boxes import from_extent, from_inclusive, iou

SIDE = 12


@st.composite
def pixel_boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return x0, y0, draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))


def mask(box: tuple[int, int, int, int]) -> np.ndarray:
    covered = np.zeros((SIDE, SIDE), dtype=bool)
    covered[box[1] : box[3], box[0] : box[2]] = True
    return covered


@given(pixel_boxes(), st.lists(pixel_boxes(), min_size=1, max_size=4))
def test_iou_counts_pixels_and_takes_the_best_instance(box, others) -> None:
    expected = max((mask(box) & mask(other)).sum() / (mask(box) | mask(other)).sum() for other in others)
    assert iou(box, others) == pytest.approx(expected)


@given(pixel_boxes(), pixel_boxes())
def test_iou_is_symmetric_and_lies_between_0_and_1(one, other) -> None:
    assert iou(one, [other]) == iou(other, [one])
    assert 0 <= iou(one, [other]) <= 1
    assert (iou(one, [other]) == 1) == (one == other)


@given(pixel_boxes(), pixel_boxes(), st.floats(0.1, 1000), st.integers(-50, 50))
def test_iou_ignores_scale_and_place(one, other, scale, shift) -> None:
    moved = [np.array(box) * scale + shift for box in (one, other)]
    assert iou(moved[0], [moved[1]]) == pytest.approx(iou(one, [other]), abs=1e-9)


def test_touching_boxes_do_not_overlap() -> None:
    assert iou((0, 0, 5, 5), [(5, 0, 9, 5)]) == 0


def test_an_empty_box_overlaps_nothing() -> None:
    assert iou((3, 3, 3, 3), [(0, 0, 9, 9)]) == 0
    assert iou((4, 4, 2, 2), [(0, 0, 9, 9)]) == 0


def test_without_instances_the_iou_is_0() -> None:
    assert iou((0, 0, 1, 1), np.empty((0, 4))) == 0


def test_a_box_that_is_not_finite_gives_no_number() -> None:
    assert np.isnan(iou((0, 0, np.nan, 1), [(0, 0, 1, 1)]))


@given(pixel_boxes(), st.integers(0, 1))
def test_inclusive_corners_cover_the_same_pixels(box, origin) -> None:
    x0, y0, x1, y1 = box
    written = (x0 + origin, y0 + origin, x1 - 1 + origin, y1 - 1 + origin)
    assert from_inclusive(written, origin).tolist() == list(box)


@given(pixel_boxes())
def test_extents_cover_the_same_pixels(box) -> None:
    x0, y0, x1, y1 = box
    assert from_extent((x0, y0, x1 - x0, y1 - y0)).tolist() == list(box)


def test_conversions_take_any_number_of_boxes() -> None:
    assert from_inclusive(np.zeros((3, 2, 4))).shape == (3, 2, 4)
    assert from_extent(np.zeros((0, 4))).shape == (0, 4)
    assert from_extent(np.zeros((2, 4), dtype=int)).dtype == np.float64
