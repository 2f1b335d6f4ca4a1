"""The race's promise, and the whole-table simulation held to the code that plays a job."""

import numpy as np
import pytest

from experiments.policies.arms import outcomes
from experiments.policies.identification import METHODS, kl_lucb, race, successive_elimination, summarise, uniform
from tuner.policies import Bandit, make_policy

MEANS = [0.05 * arm for arm in range(1, 12)]
EQUAL = [0.55] * 11


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_arms_have_the_means_and_share_the_images(correlation: float) -> None:
    table = outcomes([0.3, 0.3, 0.6], correlation, 20_000, np.random.default_rng(0))
    assert table.mean(axis=0) == pytest.approx([0.3, 0.3, 0.6], abs=0.015)
    together = np.corrcoef(table[:, 0], table[:, 1])[0, 1]
    assert together == pytest.approx(0.0 if correlation == 0 else 0.58, abs=0.03)


@pytest.mark.parametrize("means", [MEANS, EQUAL, [0.2, 0.5]])
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_race_on_a_table_is_the_race_of_a_job(means: list[float], correlation: float) -> None:
    for seed in range(4):
        table = outcomes(means, correlation, 300, np.random.default_rng(seed))
        bandit = Bandit(make_policy("race", delta=0.2), len(means), 300, table.size, (0,))
        while not bandit.done:
            arm = bandit.choose()
            bandit.record(arm, success=bool(table[bandit.pulls[arm], arm]))
        finish = race(table, 0.2)
        assert finish.left == tuple(np.flatnonzero(bandit.alive))
        # a job stops in the middle of the image that decides, a table after it
        assert 0 <= finish.traces - bandit.pulled < len(means)


def test_successive_elimination_drops_an_arm_whose_bound_lies_below() -> None:
    table = np.zeros((100, 2), dtype=bool)
    table[:, 1] = True
    # 2 sqrt(ln(4 * 2 * n^2 / 0.1) / 2n) is 1.0184 after 20 images and 0.9986 after 21
    assert successive_elimination(table, 0.1).traces == 2 * 21
    assert successive_elimination(table, 0.1).left == (1,)


def test_the_full_table_rules_nothing_out_by_itself() -> None:
    assert uniform(np.zeros((3, 2), dtype=bool), 0.05) == (finish := uniform(np.ones((3, 2), dtype=bool), 0.05))
    assert (finish.traces, finish.left) == (6, (0, 1))


def test_kl_lucb_stops_when_the_leader_is_clear_or_the_pool_is_known() -> None:
    table = np.zeros((200, 3), dtype=bool)
    table[:, 2] = True
    finish = kl_lucb(table, 0.05)
    assert finish.left == (2,)
    assert finish.traces < 150
    assert kl_lucb(np.ones((5, 2), dtype=bool), 0.05).left == (0, 1)
    assert kl_lucb(np.array([[True, False]] + [[True, True]] * 4), 0.05).left == (0,)


def test_summaries_count_what_was_lost() -> None:
    summary = summarise("uniform", [0.2, 0.8], 0.0, 50, 0.05, 20, 0)
    assert (summary.traces, summary.share, summary.decided, summary.lost) == (100, 1.0, 1.0, 0.0)


def test_the_race_needs_about_a_fifth_of_the_full_table() -> None:
    summary = summarise("race", MEANS, 0.8, 1000, 0.05, 40, 0)
    assert 0.15 < summary.share < 0.25
    assert summary.decided >= 0.95
    others = [summarise(method, MEANS, 0.8, 1000, 0.05, 4, 0).share for method in METHODS if method != "race"]
    assert summary.share < min(others)


@pytest.mark.parametrize("means", [MEANS, EQUAL])
@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_the_race_rarely_loses_the_best(means: list[float], correlation: float) -> None:
    summary = summarise("race", means, correlation, 200, 0.1, 150, 1)
    assert max(summary.lost, summary.lost_in_pool) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("means", [MEANS, EQUAL])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8, 0.95])
def test_the_race_loses_the_best_in_no_more_than_delta_of_2000_runs(means: list[float], correlation: float) -> None:
    summary = summarise("race", means, correlation, 1000, 0.05, 2000, 0)
    assert max(summary.lost, summary.lost_in_pool) <= 0.05
