import numpy as np
import pytest
from numpy.typing import NDArray

from tuner.policies import POLICIES, Bandit, Counts, make_policy, verdict
from tuner.policies.duels import MANY

SEED = (3, 1, 0)


def make_outcomes(images: int, arms: int = 5, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((images, arms)) < np.linspace(0.3, 0.7, arms)


def step(bandit: Bandit, outcomes: NDArray[np.bool_]) -> tuple[int, bool]:
    arm = bandit.choose()
    success = bool(outcomes[bandit.pulls[arm], arm])
    bandit.record(arm, success=success)
    return arm, success


@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize("seed", range(3))
def test_a_bandit_brought_back_from_its_pulls_goes_on_as_if_nothing_had_happened(kind: str, seed: int) -> None:
    outcomes = make_outcomes(60, seed=seed)
    undisturbed = Bandit(make_policy(kind), 5, 60, 150, SEED)
    pulls = []
    while not undisturbed.done:
        pulls.append(step(undisturbed, outcomes))
    for moment in range(0, len(pulls), 23):
        resumed = Bandit(make_policy(kind), 5, 60, 150, SEED)
        for arm, success in pulls[:moment]:
            resumed.record(arm, success=success)
        rest = []
        while not resumed.done:
            rest.append(step(resumed, outcomes))
        assert pulls[:moment] + rest == pulls
        assert verdict(resumed) == verdict(undisturbed)


def test_choosing_changes_nothing() -> None:
    bandit = Bandit(make_policy("thompson"), 5, 60, 100, SEED)
    outcomes = make_outcomes(60)
    for _ in range(50):
        assert len({bandit.choose() for _ in range(3)}) == 1
        step(bandit, outcomes)


def test_seeds_differ_by_every_number_in_them() -> None:
    outcomes = make_outcomes(60)
    sequences = set()
    for seed in [(0, 1, 0), (1, 1, 0), (0, 2, 0), (0, 1, 1)]:
        bandit = Bandit(make_policy("thompson"), 5, 60, 100, seed)
        sequences.add(tuple(step(bandit, outcomes)[0] for _ in range(100)))
    assert len(sequences) == 4


@pytest.mark.parametrize("kind", POLICIES)
def test_the_budget_is_never_exceeded_and_no_arm_sees_an_image_twice(kind: str) -> None:
    outcomes = make_outcomes(20)
    for budget in (5, 37, 100, 1000):
        bandit = Bandit(make_policy(kind), 5, 20, budget, SEED)
        while not bandit.done:
            step(bandit, outcomes)
        assert bandit.pulled == bandit.pulls.sum() <= min(budget, 100)
        assert bandit.pulls.max() <= 20
        if kind != "race":
            assert bandit.pulled == min(budget, 100)
        assert not bandit.free


def test_pulls_in_flight_use_up_budget_and_images() -> None:
    bandit = Bandit(make_policy("uniform"), 2, 2, 3, SEED)
    for arm in (0, 1, 0):
        assert bandit.free
        assert bandit.choose() == arm
        bandit.begin(arm)
    assert not bandit.free
    assert not bandit.done
    bandit.withdraw(1)
    assert bandit.free
    assert bandit.counts == Counts.of([0, 0], [0, 0], pending=[2, 0], closed=[True, False])
    bandit.withdraw(0)
    bandit.withdraw(0)
    for arm in (0, 1, 0):
        bandit.record(arm, success=True)
    assert bandit.done
    assert bandit.successes.tolist() == [2, 1]


def test_an_arm_that_saw_every_image_is_closed() -> None:
    bandit = Bandit(make_policy("ucb1"), 2, 3, 100, SEED)
    for _ in range(3):
        bandit.record(0, success=True)
    assert bandit.counts.closed == (True, False)
    assert bandit.choose() == 1


def test_fewer_images_close_arms_earlier() -> None:
    bandit = Bandit(make_policy("uniform"), 2, 5, 100, SEED)
    for arm in (0, 1, 0, 1):
        bandit.record(arm, success=True)
    assert not bandit.done
    bandit.images = 2
    assert bandit.done
    bandit.leave_out(0)
    bandit.images = 1
    assert bandit.done
    assert verdict(bandit).outcome == "epsilon"


def test_an_arm_is_known_when_it_saw_every_image_that_is_left() -> None:
    """Arm 0 saw image 0 before it was left out, and not image 2: two pulls, but one of them counts for nothing."""
    bandit = Bandit(make_policy("ucb1"), 2, 3, 100, SEED)
    bandit.record(0, success=True, image=0)
    bandit.record(0, success=False, image=1)
    bandit.leave_out(0)
    bandit.images = 2
    assert (bandit.pulls.tolist(), bandit.usable_pulls.tolist()) == ([2, 0], [1, 0])
    assert (bandit.successes.tolist(), bandit.usable_successes.tolist()) == ([1, 0], [0, 0])
    for image in (1, 2):
        bandit.record(1, success=True, image=image)
    assert not bandit.done
    assert verdict(bandit).confidence < 1
    assert bandit.choose() == 0
    bandit.record(0, success=True, image=2)
    assert bandit.done
    assert (verdict(bandit).winner, verdict(bandit).confidence) == (1, 1.0)


@pytest.mark.parametrize("arms", [3, MANY], ids=["lists", "arrays"])
def test_duels_are_fought_again_without_an_image_that_is_left_out(arms: int) -> None:
    rng = np.random.default_rng(0)
    outcomes = rng.random((60, arms)) < np.linspace(0.1, 0.9, arms)
    bandits = [Bandit(make_policy("uniform"), arms, 60, 60 * arms, SEED) for _ in range(3)]
    late, early, never = bandits
    early.leave_out(7)  # as where a job is resumed, which knows it before the pulls are replayed
    for image in range(60):
        for arm in range(arms):
            for bandit in bandits[: 2 if image == 7 else 3]:
                bandit.record(arm, success=bool(outcomes[image, arm]), image=image)
    late.leave_out(7)
    for bandit in (late, early):
        assert np.array_equal(bandit.duels.wins, never.duels.wins)
        assert bandit.duels.beaten == never.duels.beaten
        assert bandit.usable_successes.tolist() == never.successes.tolist()
    assert any(never.duels.beaten)


def test_the_race_drops_beaten_arms_and_ends_with_the_last() -> None:
    bandit = Bandit(make_policy("race"), 3, 1000, 3000, SEED)
    outcomes = np.zeros((1000, 3), dtype=bool)
    outcomes[:, 1] = True
    outcomes[::2, 2] = True
    while not bandit.done:
        step(bandit, outcomes)
    assert bandit.alive.tolist() == [False, True, False]
    needed = bandit.duels.wins
    assert bandit.pulls[0] == needed[1][0]  # dropped at the boundary, sooner than the arm that succeeds at times
    assert bandit.pulls[0] < bandit.pulls[2]
    assert (verdict(bandit).outcome, verdict(bandit).winner) == ("decided", 1)


def test_other_policies_drop_no_arm() -> None:
    bandit = Bandit(make_policy("uniform"), 2, 50, 100, SEED)
    while not bandit.done:
        arm = bandit.choose()
        bandit.record(arm, success=arm == 0)
    assert bandit.alive.all()
    assert bandit.duels.beaten == [False, True]
    assert bandit.pulled == 100


def test_the_race_compares_images_whatever_order_they_come_back_in() -> None:
    in_order, shuffled = (Bandit(make_policy("race"), 2, 40, 80, SEED) for _ in range(2))
    outcomes = make_outcomes(15, arms=2)
    for image, row in enumerate(outcomes.tolist()):
        for arm in (0, 1):
            in_order.record(arm, success=row[arm], image=image)
    for arm in (0, 1):
        for image in np.random.default_rng(arm).permutation(15).tolist():
            shuffled.record(arm, success=bool(outcomes[image, arm]), image=image)
    assert shuffled.duels.wins == in_order.duels.wins


def test_the_race_ends_early_where_its_arms_are_within_epsilon() -> None:
    outcomes = make_outcomes(1000, arms=2)
    outcomes[:, 1] = outcomes[:, 0]
    outcomes[5, 1] ^= True
    bandit = Bandit(make_policy("race", epsilon=0.05), 2, 1000, 2000, SEED)
    while not bandit.done:
        step(bandit, outcomes)
    assert verdict(bandit).outcome == "epsilon"
    assert verdict(bandit).may_be_best == (0, 1)
    assert 100 < bandit.pulled < 1000


def test_a_budget_that_does_not_reach_every_arm_is_refused() -> None:
    with pytest.raises(ValueError, match="a budget of 4 pulls does not reach the 5 arms"):
        Bandit(make_policy("ucb1"), 5, 10, 4, SEED)
    with pytest.raises(ValueError, match="at least one arm"):
        Bandit(make_policy("ucb1"), 0, 10, 4, SEED)


def test_a_single_arm_is_decided() -> None:
    bandit = Bandit(make_policy("race"), 1, 10, 5, SEED)
    bandit.record(0, success=False)
    assert bandit.done
    assert verdict(bandit).outcome == "decided"
