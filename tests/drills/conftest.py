"""What an undisturbed job comes to."""

import pytest

from storage.engine import Database
from tests.drills.drill import Outcome, read_outcome
from tests.drills.job import BROKEN
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.pool import SerialPool


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Arms and pulls of the job, played in this process."""
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/tuner.db"
    plan = make_plan(make_spec(name="undisturbed"), make_dataset(50))
    with Database.open(url, create=True) as database:
        create(database, plan)
        play(database, plan, lambda: SerialPool(FakeScorer(BROKEN)))
    return read_outcome(url, "undisturbed")
