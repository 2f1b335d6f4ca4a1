import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.policies.cli import policies
from experiments.policies.measured import agreement
from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.pool import SerialPool


def test_agreement_is_worked_out_by_hand() -> None:
    outcomes = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]], dtype=bool)
    found = agreement("pre", [0.0, 0.5, 1.0], outcomes)
    assert (found.images, found.arms, found.best, found.worst) == (4, 3, 0.75, 0.0)
    assert found.correlation == found.least_correlation == pytest.approx(1 / np.sqrt(3))
    assert found.discordant == pytest.approx((1 + 3 + 2) / 4 / 3)
    assert (found.race_images, found.race_share, found.survivors) == (4, 1.0, [0.0, 0.5, 1.0])
    assert found.best_survived


def test_arms_that_never_vary_have_no_correlation() -> None:
    found = agreement("pre", [0.0, 1.0], np.array([[1, 0]] * 40, dtype=bool))
    assert found.correlation is None
    assert found.survivors == [0.0]
    assert found.race_images < 40


def test_the_scores_of_a_job_are_read_from_its_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        plan = make_plan(make_spec(), make_dataset(50))
        create(database, plan)
        play(database, plan, lambda: SerialPool(FakeScorer()))
    result = CliRunner().invoke(policies, ["measured", "fake", "--storage", url, "-f", "json"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["setting"] for row in rows] == ["cur", "suc", "pre"]
    assert all(0 < row["images"] <= 40 and row["best_survived"] for row in rows)
