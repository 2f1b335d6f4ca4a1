"""Outliers, boxes and maps against plain loops."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tracer.config import TraceConfig
from tracer.points import SIGMA, box, density_box, enclosing_box, outliers, saliency, to_original

SHAPE, SIZE = (224, 224), (500, 375)


def all_pairs(points: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> list[bool]:
    """The definition, in whole numbers: squared distances and the squared radius times 100·(w·h)²."""
    found = []
    for row, column in points.tolist():
        near = 0
        for other_row, other_column in points.tolist():
            down = (row - other_row) * size[1] * shape[1]
            right = (column - other_column) * size[0] * shape[0]
            near += 100 * (down**2 + right**2) < (size[0] ** 2 + size[1] ** 2) * (shape[0] * shape[1]) ** 2
        found.append(near * 20 <= len(points))
    return found


@st.composite
def scenes(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    size = draw(st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
    place = st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
    points = draw(st.lists(place, max_size=120))
    return np.array(points, dtype=np.int64).reshape(-1, 2), shape, size


@settings(deadline=None)  # the kernel is compiled at the first call
@given(scenes())
def test_outliers_are_those_of_the_definition_also_with_duplicates(scene) -> None:
    assert outliers(*scene).tolist() == all_pairs(*scene)


def test_no_point_and_one_point_leave_no_outlier() -> None:
    assert outliers(np.zeros((0, 2), dtype=np.int64), SHAPE, SIZE).tolist() == []
    assert outliers(np.array([[3, 4]]), SHAPE, SIZE).tolist() == [False]


def test_a_neighbour_at_exactly_the_radius_does_not_count() -> None:
    size = (300, 400)  # diagonal 500, radius 50
    cluster = np.array([[100, 100]] * 10)
    for column, lonely in ((150, True), (149, False)):
        points = np.concatenate([cluster, np.array([[100, column]] * 1), np.array([[300, 5]] * 9)])
        assert outliers(points, (400, 300), size)[10] == lonely, column


def test_five_percent_itself_is_too_few() -> None:
    alone = np.array([[200, 200]])
    crowd = np.array([[10, 10]])
    assert outliers(np.concatenate([alone, crowd.repeat(19, axis=0)]), SHAPE, SIZE)[0]
    assert not outliers(np.concatenate([alone, crowd.repeat(18, axis=0)]), SHAPE, SIZE)[0]


def test_distances_are_those_of_the_original_image() -> None:
    points = np.concatenate([np.array([[112, 10]]), np.array([[112, 40]]).repeat(19, axis=0)])
    assert not outliers(points, SHAPE, (224, 224))[0]
    assert outliers(points, SHAPE, (2240, 224))[0]


def test_box_is_tight_half_open_and_in_original_pixels() -> None:
    points = np.array([[10, 20], [30, 60], [12, 25]])
    assert enclosing_box(points, (50, 100), (200, 100)).tolist() == [40.0, 20.0, 122.0, 62.0]


def test_box_of_the_corner_points_is_the_whole_image_exactly() -> None:
    points = np.array([[0, 0], [223, 223]])
    assert enclosing_box(points, SHAPE, (333, 777)).tolist() == [0.0, 0.0, 333.0, 777.0]


def test_box_leaves_outliers_out() -> None:
    points = np.concatenate([np.array([[5, 5]]), np.array([[100, 100], [104, 103]]).repeat(20, axis=0)])
    assert enclosing_box(points, SHAPE, (224, 224)).tolist() == [100.0, 100.0, 104.0, 105.0]


def test_box_keeps_all_points_where_all_are_outliers() -> None:
    places = [(row, column) for row in range(0, 224, 45) for column in range(0, 224, 45)]
    points = np.array(places)
    assert outliers(points, SHAPE, (224, 224)).all()
    assert enclosing_box(points, SHAPE, (224, 224)).tolist() == [0.0, 0.0, 181.0, 181.0]


def test_box_of_no_points_is_empty() -> None:
    none = np.zeros((0, 2), dtype=np.int64)
    assert enclosing_box(none, SHAPE, SIZE).tolist() == [0.0] * 4
    assert box(none, np.zeros(0), SHAPE, SIZE, TraceConfig(box="density")).tolist() == [0.0] * 4


@settings(deadline=None)  # the kernel is compiled at the first call
@given(scenes())
def test_box_lies_in_the_image_and_holds_the_kept_points(scene) -> None:
    points, shape, size = scene
    x0, y0, x1, y1 = enclosing_box(points, shape, size)
    assert 0 <= x0 <= x1 <= size[0]
    assert 0 <= y0 <= y1 <= size[1]
    outlying = outliers(points, shape, size)
    kept = points if outlying.all() else points[~outlying]
    for x, y in to_original(kept, shape, size):
        assert x0 < x < x1
        assert y0 < y < y1


def test_saliency_is_the_sum_of_gaussians_with_nothing_beyond_the_border() -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, (48, 40), (30, 2))
    shares = rng.random(30)
    shape, size = (48, 40), (90, 120)
    deviation = 20 / 256 * 120  # in original pixels
    expected = np.zeros(shape)
    for (row, column), share in zip(points, shares, strict=True):
        down = (np.arange(48)[:, None] - row) * 120 / 48
        right = (np.arange(40) - column) * 90 / 40
        expected += share * np.exp(-(down**2 + right**2) / (2 * deviation**2))
    np.testing.assert_allclose(saliency(points, shape, size, shares), expected / expected.max(), rtol=1e-12)


def test_saliency_agrees_with_a_zero_padded_gaussian_filter() -> None:
    points = np.array([[0, 0], [3, 200], [100, 100], [100, 100]])
    spread = np.zeros(SHAPE)
    np.add.at(spread, tuple(points.T), 1)
    filtered = ndimage.gaussian_filter(spread, SIGMA * 224 / 256, mode="constant", truncate=8)
    np.testing.assert_allclose(saliency(points, SHAPE, (224, 224)), filtered / filtered.max(), atol=1e-9)


def test_saliency_weighs_points_alike_without_shares() -> None:
    points = np.array([[10, 10], [60, 60]])
    heat = saliency(points, SHAPE, SIZE)
    assert heat[10, 10] == pytest.approx(heat[60, 60], rel=1e-6)
    assert heat.max() == 1
    assert saliency(points, SHAPE, SIZE, np.array([0.9, 0.1])).argmax() == 10 * 224 + 10


def test_saliency_of_no_points_is_zero() -> None:
    heat = saliency(np.zeros((0, 2), dtype=np.int64), (5, 6), SIZE)
    assert heat.shape == (5, 6)
    assert not heat.any()


def test_density_box_surrounds_the_largest_patch_joined_at_corners() -> None:
    heat = np.zeros((20, 20))
    heat[2:4, 2:4] = heat[4:6, 4:6] = 0.9  # two squares that touch at a corner: eight pixels
    heat[10:12, 10:13] = 1.0  # six pixels, though higher
    assert density_box(heat, 0.3, (40, 20)).tolist() == [4.0, 2.0, 12.0, 6.0]


def test_density_threshold_is_strict_and_relative_to_the_maximum() -> None:
    heat = np.full((4, 4), 0.5)
    heat[1, 2] = 1.0
    assert density_box(heat, 0.5, (4, 4)).tolist() == [2.0, 1.0, 3.0, 2.0]
    assert density_box(heat, 0.49, (4, 4)).tolist() == [0.0, 0.0, 4.0, 4.0]


def test_configuration_chooses_the_box() -> None:
    points, shares = np.array([[50, 50], [52, 52]]), np.array([0.5, 0.5])
    tight = box(points, shares, SHAPE, SIZE, TraceConfig())
    wide = [box(points, shares, SHAPE, SIZE, TraceConfig(box="density", density=cut)) for cut in (0.6, 0.3)]
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (tight, *wide)]
    assert all(small < large for small, large in pairwise(areas))
