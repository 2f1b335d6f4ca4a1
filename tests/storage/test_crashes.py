"""Any order of recording, crashing, retrying and taking over keeps counters equal to pulls."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from storage import leases, queries
from storage.engine import Database
from storage.errors import StaleLeaseError
from storage.leases import Lease
from storage.records import NewPull, NewScore, record
from tests.storage.jobs import new_job, run

IMAGES = 12


def iou(arm: int, image: int) -> float:
    """The environment: deterministic, as tracing is."""
    return (arm * 7 + image * 5) % 11 / 10


class CrashError(Exception):
    """The controller died within its transaction."""


class Controllers(RuleBasedStateMachine):
    """Controllers that come and go on one job; each pulls the arm pulled least, on its next image.

    ``true`` is what the sequence of pulls must be: the t-th pull of cur is a function of t alone.
    """

    opened: Callable[[], Database]

    @initialize()
    def start(self) -> None:
        self.database = self.opened()
        self.job = run(self.database, new_job(images=IMAGES))
        self.leases: list[Lease] = [self.job.lease]
        self.stored = 0

    def batch(self, begin: int, end: int) -> tuple[list[NewScore], list[NewPull]]:
        """The pulls numbered ``begin + 1`` to ``end``, with the scores of their images for all three arms."""
        chosen = [(t, (t - 1) % 3, (t - 1) // 3) for t in range(begin + 1, end + 1)]
        images = sorted({image for _, _, image in chosen})
        scores = [self.job.score(arm, image, iou(arm, image)) for image in images for arm in range(3)]
        return scores, [self.job.pull(t, arm, image, iou(arm, image)) for t, arm, image in chosen]

    @rule(size=st.integers(0, 7), again=st.integers(0, 9))
    def record(self, size: int, again: int) -> None:
        """The controller in force records new pulls, and some that it recorded before."""
        begin, end = max(0, self.stored - again), min(self.stored + size, 3 * IMAGES)
        with self.database.writing() as session:
            recorded = record(session, self.leases[-1], *self.batch(begin, end))
        assert recorded.pulls == end - self.stored
        self.stored = end

    @rule(size=st.integers(1, 7))
    def crash(self, size: int) -> None:
        """The controller in force dies before its commit."""

        def half_way(session: Session) -> None:
            record(session, self.leases[-1], *self.batch(self.stored, min(self.stored + size, 3 * IMAGES)))
            raise CrashError

        with pytest.raises(CrashError), self.database.writing() as session:
            half_way(session)

    @rule()
    def take_over(self) -> None:
        """Another controller takes the job."""
        with self.database.writing() as session:
            self.leases.append(
                leases.acquire(session, "job", f"host:{len(self.leases) + 1}", evict=self.leases[-1].epoch)
            )

    @rule(size=st.integers(0, 7), which=st.integers(0, 99))
    def wake_up(self, size: int, which: int) -> None:
        """A controller that lost the job tries to go on."""
        if len(self.leases) > 1:
            stale = self.leases[which % (len(self.leases) - 1)]
            batch = self.batch(self.stored, min(self.stored + size, 3 * IMAGES))
            with pytest.raises(StaleLeaseError), self.database.writing() as session:
                record(session, stale, *batch)

    @rule()
    def reopen(self) -> None:
        """Every process ends; the database stays."""
        url = self.database.url.render_as_string(hide_password=False)
        self.database.close()
        self.database = Database.open(url)

    @invariant()
    def counters_are_what_was_pulled(self) -> None:
        with self.database.reading() as session:
            arms = queries.arms(session, "job", setting="cur")
            pulls = queries.pulls(session, "job")
            assert queries.verify(session, "job").problems == ()
        assert [pull.t for pull in pulls] == list(range(1, self.stored + 1))
        assert Counter(pull.arm_id for pull in pulls) == Counter({arm.id: arm.pulls for arm in arms if arm.pulls})
        assert [arm.successes for arm in arms] == [
            sum(iou(j, image) >= 0.5 for image in range(arm.pulls)) for j, arm in enumerate(arms)
        ]

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()


def test_any_order_of_crashes_and_retries_keeps_counters_right_on_sqlite(sqlite_template: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copies = iter(range(10_000))

        def opened() -> Database:
            path = Path(folder, f"{next(copies)}.db")
            path.write_bytes(sqlite_template.read_bytes())
            return Database.open(f"sqlite:///{path}")

        machine = type("Controllers", (Controllers,), {"opened": staticmethod(opened)})
        run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=15))


def test_any_order_of_crashes_and_retries_keeps_counters_right_on_postgresql(new_postgres: Callable[[], str]) -> None:
    machine = type("Controllers", (Controllers,), {"opened": staticmethod(lambda: Database.open(new_postgres()))})
    run_state_machine_as_test(machine, settings=settings(max_examples=8, stateful_step_count=12))
