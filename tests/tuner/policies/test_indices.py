"""Each policy's index against a case worked out by hand, and the slow definition of those that are solved for."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.policies import Counts, IndexPolicy, make_policy, replay
from tuner.policies.kl_ucb import KLUCB, kl_upper
from tuner.policies.thompson import Thompson
from tuner.policies.ucb1 import UCB1
from tuner.policies.ucb_tuned import UCBTuned

RNG = np.random.default_rng(0)
T = round(math.e**4)  # 55: ln t is nearly 4
LOG_T = math.log(T)


def index_of(policy: IndexPolicy, mean: float, pulls: int) -> float:
    """The index of a lone arm."""
    (index,) = policy.indices([mean * pulls], [pulls], T, RNG)
    return index


def test_ucb1_adds_the_root_of_two_log_t_over_n() -> None:
    assert index_of(UCB1(), 0.25, 8) == pytest.approx(0.25 + math.sqrt(2 * LOG_T / 8))
    assert index_of(UCB1(), 0.25, 8) == pytest.approx(1.2509, abs=1e-4)
    assert index_of(UCB1(exploration=0.5), 0.25, 8) == pytest.approx(0.7505, abs=1e-4)


def test_ucb1_chooses_as_worked_out_by_hand() -> None:
    # t = 16: indices 0.5 + sqrt(2 ln 16 / 8) = 1.3326, 0.25 + sqrt(2 ln 16 / 4) = 1.4274, 0.5 + ... / 4 = 1.6774
    assert UCB1().choose(Counts.of([8, 4, 4], [4, 1, 2]), RNG) == 2
    assert UCB1().choose(Counts.of([8, 4, 4], [8, 1, 1]), RNG) == 0  # 1.8326


@pytest.mark.parametrize("exploration", [-1.0, math.inf, math.nan])
def test_ucb1_refuses_an_exploration_that_is_no_weight(exploration: float) -> None:
    with pytest.raises(ValueError, match="exploration"):
        make_policy("ucb1", exploration=exploration)


def test_ucb_tuned_uses_the_variance_where_it_is_small() -> None:
    # mean 0, n = 100: V = 0 + sqrt(2 * 4.0073 / 100) = 0.2831 > 1/4, so 1/4; n = 1000: V = 0.0895
    assert index_of(UCBTuned(), 0.0, 100) == pytest.approx(math.sqrt(LOG_T / 100 * 0.25))
    assert index_of(UCBTuned(), 0.0, 1000) == pytest.approx(math.sqrt(LOG_T / 1000 * 0.089525), rel=1e-4)
    assert index_of(UCBTuned(), 0.5, 1000) == pytest.approx(0.5 + math.sqrt(LOG_T / 1000 * 0.25))


def test_kl_ucb_without_a_success_is_solved_by_hand() -> None:
    # kl(0, q) = -ln(1 - q) = ln(t) / n
    assert index_of(KLUCB(), 0.0, 4) == pytest.approx(1 - T ** (-1 / 4), abs=1e-12)


def test_kl_ucb_of_an_arm_that_always_succeeds_is_one() -> None:
    assert index_of(KLUCB(), 1.0, 7) == 1.0


def test_kl_ucb_with_nothing_to_explore_is_the_mean() -> None:
    assert kl_upper(0.3, 0.0) == pytest.approx(0.3)


def test_kl_ucb_is_as_exact_near_a_small_mean() -> None:
    mean, divergence = 4 / 1142, 0.703125 / 1142
    q = kl_upper(mean, divergence)
    reached = mean * math.log(mean / q) + (1 - mean) * math.log((1 - mean) / (1 - q))
    slope = (q - mean) / (q * (1 - q))
    assert abs(reached - divergence) / slope < 1e-9


@given(st.integers(1, 3000), st.data(), st.floats(0.7, 14))
def test_kl_ucb_is_the_last_value_within_the_divergence(n: int, data: st.DataObject, log_t: float) -> None:
    mean = data.draw(st.integers(0, n - 1)) / n
    q = kl_upper(mean, log_t / n)
    assert mean < q <= 1

    def divergence(q: float) -> float:
        first = mean * math.log(mean / q) if mean else 0.0
        return first + (1 - mean) * math.log((1 - mean) / (1 - q)) if q < 1 else math.inf

    low, high = mean, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if divergence(middle) <= log_t / n else (low, middle)
    assert q == pytest.approx(low, abs=1e-8)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=1, max_size=15),
    st.integers(0, 5000),
)
def test_kl_ucb_skips_only_indices_that_cannot_be_the_highest(arms: list[tuple[int, float]], others: int) -> None:
    pulls = [n for n, _ in arms]
    rewards = [round(share * n) for n, share in arms]
    means = [s / n for s, n in zip(rewards, pulls, strict=True)]
    t = sum(pulls) + others
    plain = [kl_upper(mean, math.log(t) / n) for mean, n in zip(means, pulls, strict=True)]
    indices = KLUCB().indices(rewards, pulls, t, RNG)
    assert indices.index(max(indices)) == plain.index(max(plain))
    assert max(indices) == pytest.approx(max(plain), abs=1e-12)
    assert all(mean <= index <= solved for mean, index, solved in zip(means, indices, plain, strict=True))


class PlainKLUCB(IndexPolicy):
    """KL-UCB with every index solved for."""

    def indices(self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: np.random.Generator) -> list[float]:
        return [kl_upper(s / n, math.log(t) / n) for s, n in zip(rewards, pulls, strict=True)]


@pytest.mark.parametrize("means", [np.linspace(0.3, 0.55, 11), np.linspace(0, 1, 6), [0.5] * 9, [0.98] * 5, [0.0] * 3])
def test_kl_ucb_decides_exactly_as_if_every_index_were_solved_for(means: Sequence[float]) -> None:
    rng = np.random.default_rng(0)
    preference = rng.permutation(len(means)).tolist()
    for images in (1500, 200):
        outcomes = rng.random((images, len(means))) < means
        quick, plain = (replay(policy, outcomes, 1500, (0,), preference) for policy in (KLUCB(), PlainKLUCB()))
        assert quick.arms.tolist() == plain.arms.tolist()


def test_thompson_draws_from_the_posterior() -> None:
    rng = np.random.default_rng(0)
    draws = np.array([Thompson().indices([2], [8], T, rng) for _ in range(20_000)])
    # Beta(3, 7): mean 0.3, variance 3 * 7 / (10 ** 2 * 11)
    assert draws.mean() == pytest.approx(0.3, abs=4 * math.sqrt(21 / 1100 / 20_000))
    assert draws.var() == pytest.approx(21 / 1100, rel=0.05)


def test_uniform_goes_image_by_image() -> None:
    uniform = make_policy("uniform")
    assert uniform.choose(Counts.of([2, 1, 1], [0, 0, 1], preference=[2, 1, 0]), RNG) == 2
    assert uniform.choose(Counts.of([2, 1, 1], [0, 0, 1], pending=[0, 0, 1], preference=[2, 1, 0]), RNG) == 1
