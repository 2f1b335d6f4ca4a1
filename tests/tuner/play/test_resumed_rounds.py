"""A round that is over stays over: a job that is resumed in a later one does not decide the earlier ones again."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text

from storage import queries
from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import Settings
from tuner.errors import ChangedError
from tuner.play.controller import FAILURES, Progress
from tuner.play.lifecycle import create, play
from tuner.play.plan import Plan, make_plan
from tuner.workers.pool import SerialPool

POLICIES = {
    "race": {"kind": "race", "budget": 300},
    "ucb1": {"kind": "ucb1", "budget": 60},
    "uniform": {"kind": "uniform", "budget": 90},
}


class Rotting(FakeScorer):
    """Scores every image in round 1; from round 2 on, some that were pulled before can be scored no more."""

    def __init__(self, rotten: Sequence[int]) -> None:
        super().__init__()
        self._rotten = frozenset(rotten)
        self.failed = 0
        self.rounds: list[int | None] = []

    def report(self, progress: Progress) -> None:
        if progress.number not in self.rounds:
            self.rounds.append(progress.number)
        if progress.number == 2:
            self.broken = self._rotten

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        self.failed += image in self.broken
        return super().score(image, settings)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as opened:
        yield opened


def make(database: Database, name: str, policy: str, **changes: Any) -> tuple[Plan, Rotting]:
    """A job of two rounds, and workers for whom the second and the fourth of its images go bad in round 2."""
    spec = make_spec(name=name, policy=POLICIES[policy], rounds=2, check=0.2, **changes)
    plan = make_plan(spec, make_dataset(60))
    create(database, plan)
    return plan, Rotting([plan.images[1], plan.images[3]])


def stored(database: Database, name: str, number: int) -> tuple[list[Any], list[Any]]:
    """All that is stored of a round, without what differs between jobs."""
    with database.reading() as session:
        assert queries.verify(session, name).problems == ()
        bandits = [asdict(bandit) for bandit in queries.bandits(session, name) if bandit.round == number]
        pulls = [asdict(pull) for pull in queries.all_pulls(session, name, round=number)]
    for row in [*bandits, *pulls]:
        for key in row.keys() & {"id", "bandit_id", "arm_id", "image_id", "at"}:
            del row[key]
    return bandits, pulls


@pytest.mark.parametrize("policy", POLICIES)
def test_an_image_left_out_in_round_2_does_not_change_round_1_of_a_resumed_job(database: Database, policy: str) -> None:
    plan, whole = make(database, "whole", policy)
    outcome = play(database, plan, lambda: SerialPool(whole), report=whole.report)
    plan, parts = make(database, "parts", policy)
    stop = lambda: parts.failed == 2 * FAILURES  # noqa: E731
    assert play(database, plan, lambda: SerialPool(parts), stop=stop, report=parts.report) == "stopped"
    with database.reading() as session:
        assert [image.rank for image in queries.images(session, "parts", quarantined=True)] == [1, 3]
    first = stored(database, "parts", 1)

    parts.rounds.clear()
    assert play(database, plan, lambda: SerialPool(parts), report=parts.report) == outcome
    assert stored(database, "parts", 1) == first == stored(database, "whole", 1)
    assert parts.rounds == [2, None], "round 1 is not played again"
    assert stored(database, "parts", 2) == stored(database, "whole", 2)
    with database.reading() as session:
        checks = [queries.checks(session, name).values for name in ("parts", "whole")]
    np.testing.assert_array_equal(*checks)
    assert not np.isnan(checks[0]).any()


@pytest.mark.parametrize("forgotten", ["1 AND setting = 'pre'", "1", "2"])
def test_a_job_that_died_before_a_round_was_concluded_concludes_it_the_same(database: Database, forgotten: str) -> None:
    """Its pulls are stored, the outcomes of its bandits are not, or not all of them."""
    plan, scorer = make(database, "job", "ucb1")
    outcome = play(database, plan, lambda: SerialPool(scorer), report=scorer.report)
    before = [stored(database, "job", number) for number in (1, 2)]
    with database.writing() as session:
        session.execute(text("UPDATE job SET state = 'stopped', outcome = 'stopped'"))
        session.execute(
            text(f"UPDATE bandit SET outcome = NULL, winner_rank = NULL, confidence = NULL WHERE round = {forgotten}")
        )
        if forgotten.startswith("1"):  # then the next round had not begun, and no image gone bad
            session.execute(text("DELETE FROM bandit WHERE round = 2"))
            session.execute(text('DELETE FROM "check"'))
            session.execute(text("UPDATE image SET quarantined = 0, failures = 0"))
            session.execute(text("UPDATE job SET quarantined = 0"))
    scorer.broken = frozenset()
    assert play(database, plan, lambda: SerialPool(scorer), report=scorer.report) == outcome
    assert [stored(database, "job", number) for number in (1, 2)] == before


def test_a_job_that_died_between_two_rounds_goes_on_with_the_next(database: Database) -> None:
    plan, scorer = make(database, "job", "ucb1")
    play(database, plan, lambda: SerialPool(scorer), report=scorer.report)
    before = stored(database, "job", 2)
    with database.writing() as session:
        session.execute(text("UPDATE job SET state = 'stopped', outcome = 'stopped', quarantined = 0"))
        session.execute(text("DELETE FROM bandit WHERE round = 2"))
        session.execute(text("UPDATE image SET quarantined = 0, failures = 0"))
    scorer.broken = frozenset()
    play(database, plan, lambda: SerialPool(scorer), report=scorer.report)
    assert stored(database, "job", 2) == before


def test_a_round_that_is_stored_on_another_base_is_refused(database: Database) -> None:
    plan, scorer = make(database, "job", "ucb1")
    stop = lambda: 2 in scorer.rounds  # noqa: E731
    assert play(database, plan, lambda: SerialPool(scorer), stop=stop, report=scorer.report) == "stopped"
    with database.writing() as session:
        session.execute(text("UPDATE bandit SET winner_rank = (winner_rank + 1) % 3 WHERE round = 1"))
    with pytest.raises(ChangedError, match="'job' began round 2 on another base of cur, by another version"):
        play(database, plan, lambda: SerialPool(scorer))
