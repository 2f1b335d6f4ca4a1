"""Intervals of paired differences, by hand and by simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tuner.paired import bootstrap_interval, exact_interval, images_needed


def test_exact_interval_looks_at_the_images_that_just_one_method_hits() -> None:
    gains = np.array([1.0] * 9 + [-1.0] * 1 + [0.0] * 90)
    low, high = exact_interval(gains)
    share = binomtest(9, 10).proportion_ci(method="exact")
    assert (low, high) == pytest.approx((10 * (2 * share.low - 1) / 100, 10 * (2 * share.high - 1) / 100))
    assert 0 < low < 0.08 < high < 0.1
    assert exact_interval(-gains) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("won", "lost"), [(0, 1), (1, 0), (0, 30), (30, 0), (1, 1), (7, 23), (200, 3)])
def test_exact_interval_is_that_of_scipy(won: int, lost: int) -> None:
    gains = np.repeat([1.0, -1.0, 0.0], [won, lost, 10])
    share = binomtest(won, won + lost).proportion_ci(method="exact")
    expected = [(won + lost) * (2 * end - 1) / len(gains) for end in (share.low, share.high)]
    assert exact_interval(gains) == pytest.approx(expected, abs=1e-12)


def test_exact_interval_of_methods_that_never_differ_is_nothing() -> None:
    assert exact_interval(np.zeros(20)) == (0.0, 0.0)


def test_bootstrap_interval_is_about_two_standard_errors_to_each_side() -> None:
    gains = np.random.default_rng(0).normal(0.3, 1, 400)
    low, high = bootstrap_interval(gains, np.random.default_rng(1))
    half = 1.96 * gains.std() / 20
    assert (low, high) == pytest.approx((gains.mean() - half, gains.mean() + half), abs=0.01)


def test_bootstrap_interval_comes_of_the_seed() -> None:
    gains = np.random.default_rng(2).normal(size=50)
    first, again, other = (bootstrap_interval(gains, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_an_interval_that_reaches_twice_as_far_as_the_difference_takes_four_times_as_many_images() -> None:
    assert images_needed(50, 0.06, -0.06, 0.2) == 200
    assert images_needed(50, -0.06, -0.2, 0.06) == 200


@pytest.mark.parametrize("interval", [(0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), (0.0, -0.1, 0.1)])
def test_what_is_settled_or_without_direction_needs_no_number_of_images(interval: tuple[float, float, float]) -> None:
    assert images_needed(50, *interval) is None
