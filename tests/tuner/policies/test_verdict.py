import numpy as np
import pytest

from tuner.policies import POLICIES, Bandit, Verdict, make_policy, verdict


def play(kind: str, outcomes: list[list[int]], images: int, **parameters: float) -> Bandit:
    """Every arm on the images given, of a pool that may be larger."""
    arms = len(outcomes[0])
    bandit = Bandit(make_policy(kind, **parameters), arms, images, arms * images, (0,))
    for row in outcomes:
        for arm, success in enumerate(row):
            bandit.record(arm, success=bool(success))
    return bandit


@pytest.mark.parametrize("kind", POLICIES)
def test_a_table_seen_whole_is_known_exactly(kind: str) -> None:
    assert verdict(play(kind, [[0, 1], [1, 1]], images=2)) == Verdict("decided", 1, (1,), 1.0)


@pytest.mark.parametrize("kind", POLICIES)
def test_equal_arms_of_a_table_seen_whole_are_both_best_and_the_preferred_wins(kind: str) -> None:
    bandit = play(kind, [[0, 1, 0], [1, 0, 0]], images=2)
    assert verdict(bandit) == Verdict("epsilon", 0, (0, 1), 1.0)
    bandit.preference = (1, 0, 2)
    assert verdict(bandit).winner == 1


@pytest.mark.parametrize("kind", POLICIES)
def test_few_pulls_rule_nothing_out(kind: str) -> None:
    assert verdict(play(kind, [[0, 1], [1, 1]], images=100)) == Verdict("exhausted", 1, (0, 1), 0.95)
    assert verdict(Bandit(make_policy(kind), 2, 10, 20, (0,))).may_be_best == (0, 1)


@pytest.mark.parametrize("kind", POLICIES)
def test_an_arm_that_loses_every_duel_is_ruled_out(kind: str) -> None:
    bandit = play(kind, [[0, 1]] * 20, images=100, delta=0.1)
    assert verdict(bandit) == Verdict("decided", 1, (1,), 0.9)


def test_an_arm_known_to_be_worse_than_another_known_one_is_ruled_out() -> None:
    bandit = play("ucb1", [[0, 1, 0], [1, 1, 0]], images=3)
    bandit.record(0, success=True)
    bandit.record(1, success=True)  # the third arm saw two images of three, without a success
    assert verdict(bandit) == Verdict("exhausted", 1, (1, 2), 0.95)


def test_arms_that_nearly_always_agree_are_within_epsilon() -> None:
    rows = [[i % 2, i % 2] for i in range(300)]
    assert verdict(play("ucb1", rows, images=1000)).outcome == "exhausted"
    assert verdict(play("ucb1", rows, images=1000, epsilon=0.05)).outcome == "epsilon"
    assert verdict(play("ucb1", rows, images=1000, epsilon=0.001)).outcome == "exhausted"


def test_the_winner_is_not_an_arm_with_few_lucky_pulls() -> None:
    bandit = Bandit(make_policy("ucb1"), 2, 1000, 1000, (0,))
    for i in range(100):
        bandit.record(0, success=i % 10 != 0)
    bandit.record(1, success=True)
    assert verdict(bandit).winner == 0


def test_without_a_budget_the_arms_are_tied() -> None:
    bandit = Bandit(make_policy("ucb1"), 3, 10, 0, (0,), preference=(2, 1, 0))
    assert bandit.done
    assert verdict(bandit) == Verdict("tied", 2, (0, 1, 2), 1.0)


@pytest.mark.parametrize("kind", POLICIES)
def test_the_best_arm_of_the_pool_is_rarely_ruled_out_whoever_spreads_the_pulls(kind: str) -> None:
    lost = 0
    for run in range(60):
        rng = np.random.default_rng(run)
        outcomes = rng.random((100, 4)) < [0.5, 0.5, 0.5, 0.45]
        bandit = Bandit(make_policy(kind, delta=0.2), 4, 100, 300, (run,))
        while not bandit.done:
            arm = bandit.choose()
            bandit.record(arm, success=bool(outcomes[bandit.pulls[arm], arm]))
        lost += int(outcomes.sum(axis=0).argmax()) not in verdict(bandit).may_be_best
    assert lost <= 60 * 0.2
