"""Regret against what is published for these arms (K = 11, means 0.30 to 0.55)."""

import numpy as np
import pytest

from experiments.policies.regret import lai_robbins, regret

MEANS = np.linspace(0.3, 0.55, 11).tolist()


def test_the_constant_of_lai_and_robbins_is_worked_out_by_hand() -> None:
    # kl(0.5, 0.75) = 0.5 ln(2/3) + 0.5 ln 2 = 0.143841
    assert lai_robbins([0.5, 0.75]) == pytest.approx(0.25 / 0.143841, rel=1e-5)
    assert lai_robbins([0.5, 0.75, 0.5]) == pytest.approx(0.5 / 0.143841, rel=1e-5)
    assert lai_robbins([0.5, 0.5]) == 0


def test_uniform_pays_the_mean_gap_at_every_pull() -> None:
    assert regret("uniform", [0.2, 0.6], 100, 3, 0).mean == pytest.approx(0.2 * 100)
    assert regret("uniform", [0.2, 0.6], 100, 3, 0).best == 0.5


def test_policies_rank_as_published_and_beat_going_round() -> None:
    found = {kind: regret(kind, MEANS, 2000, 12, 0).mean for kind in ("ucb1", "kl-ucb", "ucb-tuned", "thompson")}
    assert found["ucb-tuned"] < found["kl-ucb"] < found["ucb1"] < 0.125 * 2000
    assert found["thompson"] < found["kl-ucb"]


@pytest.mark.parametrize("kind", ["ucb1", "kl-ucb", "ucb-tuned", "thompson"])
def test_regret_grows_ever_slower(kind: str) -> None:
    short, long = (regret(kind, [0.3, 0.6], horizon, 12, 0).mean for horizon in (400, 1600))
    assert long < 2.5 * short  # 4 times as many pulls


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "published"), [("ucb1", 543), ("kl-ucb", 246), ("ucb-tuned", 152), ("thompson", 178)])
def test_regret_is_the_published_one(kind: str, published: float) -> None:
    found = regret(kind, MEANS, 10_000, 200, 0)
    assert found.mean == pytest.approx(published, abs=4 * found.error + 0.02 * published)
