import numpy as np
import pytest

from tuner.policies import POLICIES, Bandit, make_policy, replay, verdict


@pytest.mark.parametrize("kind", POLICIES)
def test_a_replay_makes_the_pulls_of_a_job_with_the_same_scores(kind: str) -> None:
    outcomes = np.random.default_rng(0).random((50, 4)) < [0.3, 0.6, 0.5, 0.4]
    bandit = Bandit(make_policy(kind), 4, 50, 120, (7, 1, 2), preference=(3, 2, 1, 0))
    arms, rewards = [], []
    while not bandit.done:
        arms.append(bandit.choose())
        rewards.append(bool(outcomes[bandit.pulls[arms[-1]], arms[-1]]))
        bandit.record(arms[-1], success=rewards[-1])
    played = replay(make_policy(kind), outcomes, 120, (7, 1, 2), preference=(3, 2, 1, 0))
    assert played.arms.tolist() == arms
    assert played.rewards.tolist() == rewards
    assert played.pulls.tolist() == bandit.pulls.tolist() == np.bincount(arms, minlength=4).tolist()
    assert played.successes.tolist() == bandit.successes.tolist()
    assert played.survivors.tolist() == np.flatnonzero(bandit.alive).tolist()
    assert played.verdict == verdict(bandit)


def test_the_whole_table_replayed_uniformly_gives_its_sums() -> None:
    outcomes = np.random.default_rng(0).integers(0, 2, (30, 3))
    played = replay(make_policy("uniform"), outcomes, 90, (0,))
    assert played.successes.tolist() == outcomes.sum(axis=0).tolist()
    assert played.pulls.tolist() == [30, 30, 30]
    assert played.arms[:6].tolist() == [0, 1, 2, 0, 1, 2]


def test_a_replay_refuses_a_budget_that_does_not_reach_every_arm() -> None:
    with pytest.raises(ValueError, match="does not reach"):
        replay(make_policy("ucb1"), np.zeros((5, 3), dtype=bool), 2, (0,))
