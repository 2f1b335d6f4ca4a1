import numpy as np
import pytest
from sklearn.datasets import load_digits

from tuner.datasets.boxes import iou
from tuner.digits import canvas
from tuner.digits.canvas import SIDE, draw, glyphs, label


def test_the_same_arguments_draw_the_same_canvas_and_others_another() -> None:
    one, again = draw("test", 3, 7), draw("test", 3, 7)
    assert np.array_equal(one.pixels, again.pixels)
    assert (one.digit, one.box) == (again.digit, again.box)
    for other in (draw("test", 4, 7), draw("test", 3, 8), draw("train", 3, 7)):
        assert not np.array_equal(one.pixels, other.pixels)


def test_drawing_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002  (that it is not touched is the point)
    draw("test", 0, 0)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_the_digits_that_test_are_not_those_that_train() -> None:
    (train, train_digits), (test, test_digits) = glyphs("train"), glyphs("test")
    assert len(train) + len(test) == 1797
    assert (len(train_digits), len(test_digits)) == (len(train), len(test))
    assert len(test) == 359
    assert set(test_digits.tolist()) == set(range(10))


def test_boxes_lie_inside_and_have_the_sizes_asked_for() -> None:
    boxes = np.array([draw("test", 1, index).box for index in range(300)])
    assert boxes.min() >= 0
    assert boxes.max() <= SIDE
    heights = boxes[:, 3] - boxes[:, 1]
    assert 14 <= heights.min() < heights.max() < 44
    assert (boxes[:, 2] > boxes[:, 0]).all()


def test_the_box_is_the_tightest_around_the_ink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "_background", lambda rng: np.zeros((SIDE, SIDE, 3), dtype=np.float32))
    monkeypatch.setattr(canvas, "_scatter", lambda *_: None)
    for index in range(50):
        drawn = draw("train", 2, index)
        ink = drawn.pixels.max(axis=2) / drawn.pixels.max()
        x0, y0, x1, y1 = drawn.box
        within = ink[y0:y1, x0:x1]
        assert np.count_nonzero(ink) == np.count_nonzero(within)  # nothing of the digit lies outside
        for edge in (within[0], within[-1], within[:, 0], within[:, -1]):
            assert edge.max() > 0.2  # and ink touches each side


def test_fragments_stay_off_the_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "_background", lambda rng: np.zeros((SIDE, SIDE, 3), dtype=np.float32))
    paint, places = canvas._paint, []

    def recorded(under, opacity, x, y, rng) -> None:
        places.append((x, y, x + opacity.shape[1], y + opacity.shape[0]))
        paint(under, opacity, x, y, rng)

    monkeypatch.setattr(canvas, "_paint", recorded)
    for index in range(50):
        places.clear()
        box = draw("test", 5, index).box
        *fragments, digit = places
        assert digit == box
        assert all(iou(box, [fragment]) == 0 for fragment in fragments)


def test_the_digits_are_those_of_scikit_learn() -> None:
    levels, digits = canvas._table()
    expected = load_digits()
    assert (levels == expected.images).all()
    assert (digits == expected.target).all()


def test_a_label_is_that_of_the_canvas_drawn() -> None:
    for index in range(20):
        drawn = draw("test", 0, index)
        assert label("test", 0, index) == (drawn.digit, drawn.box)
