"""The joint grid, against what Eq. 1 says of two combinations."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer import Alpha, Settings, TraceConfig
from tuner.spec.arms import distances
from tuner.spec.grid import Grid, make_grid

ELEVEN = [tenth / 10 for tenth in range(11)]
BASE = Settings(config=TraceConfig.paper())
PAPER = Settings(config=TraceConfig.paper(successor="paper"))
AXES = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 1.0, 2.0]), min_size=1, max_size=5, unique=True)


def of_weights(cur: list[float], suc: list[float], pre: list[float], base: Settings = BASE) -> Grid:
    return make_grid({"cur": cur, "suc": suc, "pre": pre}, base)


def test_eleven_values_of_each_weight_leave_715_combinations() -> None:
    """63 ratios of numbers from 1 to 10, and cur or pre alone, each with 11 values of suc."""
    grid = of_weights(ELEVEN, ELEVEN, ELEVEN)
    assert len(grid.arms.candidates) == (63 + 2) * 11
    assert len(grid.cells) == 11**3 - 11
    assert {"cur": 1.0, "suc": 1.0, "pre": 1.0} in grid.arms.candidates
    assert {"cur": 0.5, "suc": 1.0, "pre": 0.5} not in grid.arms.candidates


def test_under_the_papers_reading_suc_makes_no_difference() -> None:
    grid = of_weights(ELEVEN, ELEVEN, ELEVEN, PAPER)
    assert len(grid.arms.candidates) == 65
    assert {settings.alpha.suc for settings in grid.arms.settings} == {1.0}


@given(AXES, AXES, AXES, st.sampled_from([BASE, PAPER]))
def test_cells_share_an_arm_exactly_where_they_rank_alike(
    cur: list[float], suc: list[float], pre: list[float], base: Settings
) -> None:
    if not any(cur + pre):
        with pytest.raises(ValueError, match="nothing is ranked"):
            of_weights(cur, suc, pre, base)
        return
    grid = of_weights(cur, suc, pre, base)
    rng = np.random.default_rng(0)
    z_cur, z_pre, z_suc = rng.random(40), rng.random(40), rng.integers(1, 6, 40)

    def ranking(alpha: Alpha) -> tuple[float, ...]:
        """Ω of Eq. 1 up to a factor; equal vectors rank every set of neurons alike."""
        own = alpha.cur * z_cur + alpha.pre * z_pre
        omega = own * z_suc if base is PAPER else own * (1 + alpha.suc * (z_suc - 1))
        return tuple(np.round(omega / (alpha.cur + alpha.pre), 7))

    axes = [sorted(cur), sorted(suc), sorted(pre)]
    rankings = {}
    for cell, arm in grid.cells.items():
        alpha = Alpha(*(axis[rank] for axis, rank in zip(axes, cell, strict=True)))
        assert rankings.setdefault(arm, ranking(alpha)) == ranking(alpha)
    arms = len(grid.arms.candidates)
    assert len(set(rankings.values())) == arms == len(rankings)
    assert sorted(grid.arms.preference) == list(range(arms))
    assert grid.cells[grid.base] == grid.arms.preference[0]


def test_the_combination_nearest_the_base_stands_for_its_equals() -> None:
    grid = of_weights([0.1, 0.5, 1.0], [1.0], [0.1, 0.5, 1.0])
    nearest = {"cur": 1.0, "suc": 1.0, "pre": 1.0}
    assert grid.arms.candidates[grid.cells[0, 0, 0]] == nearest
    assert grid.arms.candidates[grid.cells[1, 0, 1]] == nearest
    assert grid.arms.preference[0] == grid.cells[2, 0, 2]


def test_settings_that_are_not_read_make_no_difference() -> None:
    grid = make_grid({"box": ["points", "patch"], "cut": [0.2, 0.4, 0.6]}, BASE.changed({"cut": 0.4}))
    assert grid.arms.candidates == (
        {"box": "points", "cut": 0.4},
        {"box": "patch", "cut": 0.2},
        {"box": "patch", "cut": 0.4},
        {"box": "patch", "cut": 0.6},
    )
    assert grid.arms.base["location"] == "peak"
    assert "box" not in grid.arms.base


def test_numbers_are_ordered_and_other_candidates_keep_their_order() -> None:
    grid = make_grid({"pre": [1.0, 0.0, 0.5], "linear": ["positive", 4, 0.5]}, BASE)
    assert grid.axes == {"pre": (0.0, 0.5, 1.0), "linear": ("positive", 4, 0.5)}


@pytest.mark.parametrize(("values", "arms"), [(45, "2,025 combinations"), (200, "40,000 combinations")])
def test_too_many_combinations_are_counted(values: int, arms: str) -> None:
    axis = [(rank + 1) / 500 for rank in range(values)]
    with pytest.raises(ValueError, match=f"{arms} are more than the 2,000 of one bandit; leave some"):
        make_grid({"suc": axis, "average_pool": axis}, BASE)


@pytest.mark.parametrize(
    ("candidates", "base", "far"),
    [
        ([1, 2, 5], 1, [0, 0.25, 1]),
        ([3], 1, [2]),
        (["mass 0.5", "mass 0.7"], "mass 0.8", [1.5, 0.5]),
        ([0.1, 0.3, "mass 0.65", "mass 0.75"], "mass 0.8", [2.5, 2.5, 1.5, 0.5]),
        ([0.1, 0.15, "mass 0.65"], 0.3, [4, 3, 5]),
        (["last 16", "last 32", 32], "last 32", [1, 0, 1]),
        (["mass one", "mass two"], "mass one", [0, 1]),
        (["peak", "field"], "field", [1, 0]),
        ([True, False], False, [1, 0]),
    ],
)
def test_numbers_and_masses_have_distances_and_others_are_farther(
    candidates: list[Any], base: Any, far: list[float]
) -> None:
    assert distances(candidates, base) == pytest.approx(far)
