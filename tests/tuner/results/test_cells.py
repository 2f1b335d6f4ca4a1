"""Values as people read them."""

import numpy as np

from tuner.paired import bootstrap_interval, exact_interval
from tuner.results.cells import between, change, none_differs, points


def test_an_interval_without_a_width_says_that_no_image_differs() -> None:
    assert between(-0.03, 0.07, points) == "−3 to +7"
    assert between(0.0, 0.0, points) == "no image differs"


def test_only_where_no_image_differs_do_both_kinds_of_interval_lie_at_nothing() -> None:
    for gains, alike in (([0, 0, 0], True), ([0, 1, -1], False), ([1, 1, 1], False), ([0, 0, 1], False)):
        given = np.array(gains, dtype=np.float64)
        assert none_differs(*exact_interval(given)) is alike
        assert none_differs(*bootstrap_interval(given, np.random.default_rng(0))) is alike


def test_differences_carry_a_sign_and_nothing_carries_none() -> None:
    assert [points(0.06), points(-0.005), points(0.0)] == ["+6", "−0.5", "0"]
    assert [change(0.1), change(-0.1)] == ["+0.100", "−0.100"]
