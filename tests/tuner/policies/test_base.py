from collections.abc import Sequence

import numpy as np
import pytest

from tuner.policies import POLICIES, Counts, IndexPolicy, make_policy


class ByMean(IndexPolicy):
    def indices(
        self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: np.random.Generator
    ) -> Sequence[float]:
        return [s / n for s, n in zip(rewards, pulls, strict=True)]


class ByPulls(IndexPolicy):
    def indices(
        self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: np.random.Generator
    ) -> Sequence[float]:
        return [-float(n) for n in pulls]


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"successes": (2, 0)},
        {"successes": (-1, 0)},
        {"pending": (-1, 0)},
        {"closed": (False,)},
        {"preference": (0, 0)},
        {"pulls": (), "successes": (), "pending": (), "closed": (), "preference": ()},
    ],
)
def test_impossible_counts_are_refused(wrong: dict[str, tuple[int, ...]]) -> None:
    right = {"pulls": (1, 1), "successes": (0, 0), "pending": (0, 0), "closed": (False, False), "preference": (0, 1)}
    Counts.of(**right)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"counts|permutation"):
        Counts.of(**right | wrong)  # type: ignore[arg-type]


def test_counts_take_arrays_and_know_t() -> None:
    counts = Counts.of(np.array([3, 4]), np.array([1, 2]), pending=[1, 0])
    assert counts == Counts((3, 4), (1, 2), (1, 0), (False, False), (0, 1))
    assert counts.t == 8


@pytest.mark.parametrize("kind", POLICIES)
def test_an_arm_without_a_pull_comes_first_in_the_order_of_preference(kind: str) -> None:
    policy = make_policy(kind)
    assert policy.choose(Counts.of([5, 0, 0], [5, 0, 0], preference=[0, 2, 1]), RNG) == 2
    assert policy.choose(Counts.of([5, 0, 0], [5, 0, 0], pending=[0, 0, 1], preference=[0, 2, 1]), RNG) == 1


@pytest.mark.parametrize("kind", POLICIES)
def test_a_closed_arm_is_never_chosen(kind: str) -> None:
    policy = make_policy(kind)
    counts = Counts.of([9, 9, 0], [9, 1, 0], closed=[True, False, True])
    assert all(policy.choose(counts, RNG) == 1 for _ in range(20))
    with pytest.raises(ValueError, match="closed"):
        policy.choose(Counts.of([1, 1], [1, 1], closed=[True, True]), RNG)


def test_ties_go_to_the_arm_that_is_preferred() -> None:
    assert ByMean().choose(Counts.of([4, 2, 8], [2, 1, 4], preference=[1, 2, 0]), RNG) == 1
    assert ByMean().choose(Counts.of([4, 2, 8], [2, 1, 5], preference=[1, 2, 0]), RNG) == 2


def test_a_pull_in_flight_counts_as_a_pull_at_the_mean_so_far() -> None:
    assert ByPulls().choose(Counts.of([3, 4], [0, 0], pending=[2, 0]), RNG) == 1
    assert ByMean().choose(Counts.of([2, 5], [1, 2], pending=[100, 0]), RNG) == 0  # still 1/2 against 2/5
    assert ByMean().choose(Counts.of([0, 5], [0, 2], pending=[1, 0]), RNG) == 0  # 1/2 while nothing is answered
    assert ByMean().choose(Counts.of([0, 5], [0, 3], pending=[1, 0]), RNG) == 1


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("wrong", [{"delta": 0.0}, {"delta": 0.6}, {"epsilon": -0.1}, {"epsilon": 1.0}])
def test_claims_out_of_range_are_refused(kind: str, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        make_policy(kind, **wrong)


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'ucb2' is unknown: choose one of ucb1, ucb-tuned"):
        make_policy("ucb2")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TypeError):
        make_policy("uniform", exploration=1.0)
