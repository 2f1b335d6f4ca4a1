"""Axes: where values stand, and which round values are named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.pages.scale import Scale

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda number: number == 0 or abs(number) > 1e-6)


def test_the_ends_of_an_axis_are_where_it_starts_and_ends() -> None:
    scale = Scale(0.2, 0.7).across(100, 0)
    assert [scale(value) for value in (0.2, 0.45, 0.7)] == [100.0, 50.0, 0.0]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.0, 133.0, [0, 20, 40, 60, 80, 100, 120]),
        (-0.3, 0.3, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Scale(low, high).ticks == ticks


@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_an_axis_holds_all_its_values_and_a_handful_of_ticks(values: list[float]) -> None:
    scale = Scale.around(values)
    slack = 1e-9 * max(map(abs, values))
    assert scale.low - slack <= min(values) <= max(values) <= scale.high + slack
    assert 2 <= len(scale.ticks) <= 15
    assert all(math.isfinite(scale(value)) for value in values)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_one_value_alone_has_an_axis_within_its_bounds(share: float) -> None:
    scale = Scale.around([share], 0.0, 1.0)
    assert 0 <= scale.low < scale.high <= 1
