"""Outliers and the boxes around points against plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.points import enclosing_box, outliers, to_original

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
