"""The martingale against its definition, and the race's promise against simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from tuner.policies.duels import ArrayDuels, Boundary, ListDuels, excess, make_duels


def martingale(wins: int, losses: int) -> Fraction:
    """The mixture exactly: 2^(n + 1) times the integral of p^i (1 - p)^j over (1/2, 1), as a tail of a binomial."""
    n = wins + losses
    return Fraction(sum(math.comb(n + 1, k) for k in range(wins + 1)), (n + 1) * math.comb(n, wins))


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 1), (5, 2), (2, 5), (30, 12)])
def test_the_mixture_is_the_integral_it_stands_for(wins: int, losses: int) -> None:
    integral, _ = quad(lambda p: 2 * (2 * p) ** wins * (2 * (1 - p)) ** losses, 0.5, 1)
    assert float(martingale(wins, losses)) == pytest.approx(integral)


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_mixture_is_a_martingale_where_both_arms_are_equally_good(wins: int, losses: int) -> None:
    assert martingale(wins + 1, losses) + martingale(wins, losses + 1) == 2 * martingale(wins, losses)


@pytest.mark.parametrize("level", [2.0, 20.0, 200.0, 1e6])
def test_the_boundary_is_the_fewest_wins_that_reach_the_level(level: float) -> None:
    boundary = Boundary(level)
    for losses in [*range(40), 300]:
        wins = boundary(losses)
        assert martingale(wins, losses) >= level > martingale(wins - 1, losses)


@given(st.integers(1, 60), st.integers(0, 60), st.data())
def test_no_pool_makes_a_sequence_beyond_the_boundary_likelier_than_fair_coins(
    wins: int, losses: int, data: st.DataObject
) -> None:
    """The lemma of docs/policies.md: why drawing without replacement keeps the promise."""
    n = wins + losses
    if wins <= losses or (wins - losses) ** 2 < n:
        return
    better = data.draw(st.integers(wins, 200))  # images where only a succeeds: no more than those where only b does
    worse = data.draw(st.integers(max(better, losses), 200))
    likelihood = Fraction(math.perm(better, wins) * math.perm(worse, losses), math.perm(better + worse, n))
    assert likelihood <= Fraction(1, 2**n)


@pytest.mark.parametrize("level", [2.0, 3.0, 20.0, 200.0])
def test_the_lemma_covers_every_point_of_the_boundary(level: float) -> None:
    boundary = Boundary(level)
    for losses in range(500):
        wins = boundary(losses)
        assert (wins - losses) ** 2 >= wins + losses


def test_only_images_where_just_one_of_two_arms_succeeds_count() -> None:
    duels = make_duels(2, 0.05)
    for image, (first, second) in enumerate(
        [(True, True), (False, False), (True, False), (False, True), (True, False)]
    ):
        duels.record(0, image, success=first)
        duels.record(1, image, success=second)
    assert duels.wins == [[0, 2], [1, 0]]


def test_arms_meet_on_the_images_that_both_saw_whenever_they_saw_them() -> None:
    duels = make_duels(2, 0.05)
    for image in (0, 1, 2):
        duels.record(0, image, success=True)
    for image in (2, 0, 7):
        duels.record(1, image, success=False)
    assert duels.wins == [[0, 2], [0, 0]]


def test_an_arm_is_beaten_at_the_boundary_and_stays_beaten() -> None:
    duels = make_duels(2, 0.05)
    needed = Boundary(1 / 0.05)(0)
    for image in range(needed):
        assert duels.beaten == [False, False]
        duels.record(0, image, success=False)
        duels.record(1, image, success=True)
    assert duels.beaten == [True, False]
    for image in range(needed, 2 * needed):
        duels.record(0, image, success=True)
        duels.record(1, image, success=False)
    assert duels.beaten == [True, False]


def test_the_excess_covers_the_truth_and_closes_on_it() -> None:
    rng = np.random.default_rng(0)
    outcomes = rng.random((50, 2)) < [0.6, 0.5]
    truth = float(outcomes[:, 1].mean() - outcomes[:, 0].mean())
    duels = make_duels(2, 0.05)
    for image, row in enumerate(outcomes.tolist()):
        duels.record(0, image, success=row[0])
        duels.record(1, image, success=row[1])
        assert excess(duels, 1, 0, 50, 0.05) >= truth - 1e-12
    assert excess(duels, 1, 0, 50, 0.05) == pytest.approx(truth)


@pytest.mark.parametrize("seed", range(5))
def test_arrays_and_lists_count_the_same_and_beat_the_same_arms_at_the_same_moment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outcomes = rng.random((80, 8)) < np.linspace(0.1, 0.9, 8)
    lists, arrays = ListDuels(8, 0.2), ArrayDuels(8, 0.2)
    for place in rng.permutation(outcomes.size).tolist():
        image, arm = divmod(place, 8)
        for duels in (lists, arrays):
            duels.record(arm, image, success=bool(outcomes[image, arm]))
        assert arrays.beaten == lists.beaten
        assert arrays.standing == lists.standing
    assert arrays.wins.tolist() == lists.wins
    assert 1 <= lists.standing < 8
    assert arrays.shared(0, 7) == lists.shared(0, 7) == 80
    assert excess(arrays, 7, 0, 80, 0.05) == excess(lists, 7, 0, 80, 0.05)


def test_many_arms_are_counted_in_arrays() -> None:
    assert isinstance(make_duels(11, 0.05), ListDuels)
    assert isinstance(make_duels(1000, 0.05), ArrayDuels)
