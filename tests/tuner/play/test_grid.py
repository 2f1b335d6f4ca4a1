"""The joint grid, against what Eq. 1 says of two triples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.rows import Triple
from tuner.play.grid import make_grid

ELEVEN = [tenth / 10 for tenth in range(11)]
BASE = Triple(1.0, 1.0, 1.0)
AXES = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 1.0, 2.0]), min_size=1, max_size=5, unique=True)


def test_eleven_values_each_leave_715_triples() -> None:
    """63 ratios of numbers from 1 to 10, and cur or pre alone, each with 11 values of suc."""
    grid = make_grid([ELEVEN] * 3, BASE, "excess")
    assert len(grid.triples) == (63 + 2) * 11
    assert len(grid.arms) == 11**3 - 11
    assert Triple(1.0, 1.0, 1.0) in grid.triples
    assert Triple(0.5, 1.0, 0.5) not in grid.triples


def test_under_the_papers_reading_suc_makes_no_difference() -> None:
    grid = make_grid([ELEVEN] * 3, BASE, "paper")
    assert len(grid.triples) == 65
    assert {triple.suc for triple in grid.triples} == {1.0}


@given(AXES, AXES, AXES, st.sampled_from(["excess", "paper"]))
def test_cells_share_a_triple_exactly_where_they_rank_alike(
    cur: list[float], suc: list[float], pre: list[float], successor: str
) -> None:
    if not any(cur + pre):
        with pytest.raises(ValueError, match="nothing to rank"):
            make_grid([cur, suc, pre], BASE, successor)  # type: ignore[arg-type]
        return
    grid = make_grid([cur, suc, pre], BASE, successor)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    z_cur, z_pre, z_suc = rng.random(40), rng.random(40), rng.integers(1, 6, 40)

    def ranking(triple: Triple) -> tuple[float, ...]:
        """Ω of Eq. 1 up to a factor; equal vectors rank every set of neurons alike."""
        own = triple.cur * z_cur + triple.pre * z_pre
        omega = own * (1 + triple.suc * (z_suc - 1)) if successor == "excess" else own * z_suc
        return tuple(np.round(omega / (triple.cur + triple.pre), 7))

    axes = [sorted(cur), sorted(suc), sorted(pre)]
    rankings = {}
    for cell, arm in grid.arms.items():
        triple = Triple(*(axis[rank] for axis, rank in zip(axes, cell, strict=True)))
        assert rankings.setdefault(arm, ranking(triple)) == ranking(triple)
    assert len(set(rankings.values())) == len(grid.triples) == len(rankings)
    assert sorted(grid.preference) == list(range(len(grid.triples)))
    assert grid.arms[grid.base] == grid.preference[0]


def test_the_triple_nearest_the_base_stands_for_its_equals() -> None:
    grid = make_grid([[0.1, 0.5, 1.0], [1.0], [0.1, 0.5, 1.0]], BASE, "excess")
    assert grid.triples[grid.arms[0, 0, 0]] == BASE
    assert grid.triples[grid.arms[1, 0, 1]] == BASE
    assert grid.preference[0] == grid.arms[2, 0, 2]
