import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.policies.cli import policies
from experiments.policies.interactions import interactions, separate_arm
from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import Alpha, Settings, TraceConfig
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.spec.grid import Grid, make_grid
from tuner.workers.pool import SerialPool

VALUES = [0.0, 0.5, 1.0]


def make_outcomes(grid: Grid, means: dict[Alpha, float], images: int = 400) -> np.ndarray:
    """Combinations that succeed on that share of the images, all on the first ones; 1/4 where none is given."""
    shares = np.array([means.get(settings.alpha, 0.25) for settings in grid.arms.settings])
    order = np.concatenate(
        [np.arange(0, images, 2), np.arange(1, images, 2)]
    )  # so that both halves see the same shares
    return order[:, None] < shares * images


@pytest.fixture
def grid() -> Grid:
    return make_grid(dict.fromkeys(("cur", "suc", "pre"), VALUES), Settings(config=TraceConfig(location="peak")))


def test_a_combination_off_the_bases_lines_is_an_interaction(grid: Grid) -> None:
    outcomes = make_outcomes(grid, {Alpha(1.0, 1.0, 1.0): 0.5, Alpha(1.0, 0.0, 0.5): 0.75})
    found = interactions(grid, outcomes)
    assert (found.separate, found.separate_mean) == ("cur=1 suc=1 pre=1", 0.5)
    assert (found.joint, found.joint_mean, found.best_of) == ("cur=1 suc=0 pre=0.5", 0.75, 1)
    assert (found.images, found.difference) == (400, 0.25)
    assert found.standard_error == pytest.approx(np.sqrt(0.25 * 0.75 / 399))
    assert found.held_out == pytest.approx(0.25)
    assert found.held_out_error == pytest.approx(found.standard_error)


def test_weights_that_add_up_leave_nothing_to_find(grid: Grid) -> None:
    outcomes = make_outcomes(grid, {Alpha(1.0, 0.0, 1.0): 0.5, Alpha(1.0, 1.0, 0.5): 0.5, Alpha(1.0, 0.0, 0.5): 0.6})
    found = interactions(grid, outcomes)
    assert found.separate == found.joint == "cur=1 suc=0 pre=0.5"
    assert (found.difference, found.standard_error, found.held_out) == (0, 0, 0)


def test_where_the_best_is_chance_it_does_not_hold_on_other_images(grid: Grid) -> None:
    rng = np.random.default_rng(0)
    found = [interactions(grid, rng.random((400, len(grid.arms.settings))) < 0.5) for _ in range(300)]
    held_out = np.array([one.held_out for one in found])
    assert min(one.difference for one in found) >= 0
    assert np.mean([one.difference for one in found]) > 0.01
    assert abs(held_out.mean()) < 3 * held_out.std() / np.sqrt(300)
    errors = np.array([one.held_out_error for one in found])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(held_out.std(), rel=0.15)


def test_cur_and_pre_are_never_both_0(grid: Grid) -> None:
    means = np.array([0.5 if s.alpha.cur == 0 else 0.6 if s.alpha.pre == 0 else 0.25 for s in grid.arms.settings])
    alpha = grid.arms.settings[separate_arm(grid, means)].alpha
    assert alpha.pre == 0.0
    assert alpha.cur > 0.0


def test_the_scores_of_a_job_are_read_from_its_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        for name, budget in (("whole", 10_000), ("part", 400)):
            policy = {"kind": "optuna-tpe", "budget": budget, "trial_images": 40}
            plan = make_plan(make_spec(name=name, policy=policy, search="joint"), make_dataset(50))
            create(database, plan)
            play(database, plan, lambda: SerialPool(FakeScorer((3,))))
    result = CliRunner().invoke(policies, ["interactions", "whole", "--storage", url, "-f", "json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert row["joint_mean"] >= row["separate_mean"]
    result = CliRunner().invoke(policies, ["interactions", "part", "--storage", url])
    assert "has not scored every combination" in str(result.exception)
