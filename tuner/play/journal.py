"""A job's place in the database, held by its controller: what was learned before, and what is learned now."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from storage import creation, leases, queries, records
from storage.creation import NewBandit
from storage.engine import Database
from storage.errors import LeaseHeldError
from storage.leases import Lease
from storage.models import Outcome
from storage.records import NewCheck, NewPull, NewScore
from tuner.errors import ChangedError
from tuner.play.check import CheckRound
from tuner.play.holder import is_dead, new_holder
from tuner.play.rounds import BanditRound, CheckedValue, NewValue, Pulled
from tuner.policies import Verdict

logger = logging.getLogger(__name__)

LEASE = 30.0
"""Seconds a lease lasts unless renewed; renewed at a third of it."""

T = TypeVar("T")


def take_lease(database: Database, name: str) -> Lease:
    """The lease of a job; at once where the process that held it died on this machine.

    Raises:
        StorageError: If there is no such job, it is finished, or another controller runs it.
    """
    holder = new_holder()
    try:
        return database.attempt(lambda session: leases.acquire(session, name, holder, seconds=LEASE))
    except LeaseHeldError as error:
        if not is_dead(error.owner):
            raise
        dead = error.epoch
        return database.attempt(lambda session: leases.acquire(session, name, holder, seconds=LEASE, evict=dead))


class Conclusion(NamedTuple):
    """How a bandit came out, and the arm chosen (its rank)."""

    outcome: Outcome
    winner: int


class Journal:
    """Writes what a controller learns, in batches, under its lease.

    Args:
        database: Where.
        name: The job's name.
        lease: The controller's.
    """

    def __init__(self, database: Database, name: str, lease: Lease) -> None:
        self._database = database
        self._name = name
        self._lease = lease
        self._renewed = time.monotonic()
        self._scores: list[NewScore] = []
        self._pulls: list[NewPull] = []
        self._checks: list[NewCheck] = []
        self._arms: list[list[int]] = []
        self._bandits: list[int] = []
        self.conclusions: list[Conclusion] = []
        """How the bandits of the current round came out; empty while the round is not over."""
        self.stop_requested = False
        """Whether somebody asked the job to stop, as of the last write."""
        with database.reading() as session:
            self.images = queries.images(session, name)
            """The sampled images, in the order of the permutation."""

    def open_round(self, number: int, bandits: Sequence[NewBandit]) -> None:
        """Make a round current, storing it first where it is new.

        Args:
            number: From 1.
            bandits: Its bandits, in the order that :class:`tuner.play.rounds.Pulled` counts them.

        Raises:
            ChangedError: If it is stored with other arms, or on another base.
        """
        self._write(lambda session: creation.add_round(session, self._lease, number, bandits))
        with self._database.reading() as session:
            rows = {row.setting: row for row in queries.bandits(session, self._name) if row.round == number}
            arms = queries.arms(session, self._name, round=number)
        stored = [rows[bandit.setting] for bandit in bandits]
        self._bandits = [row.id for row in stored]
        self._arms = [[arm.id for arm in arms if arm.bandit_id == row.id] for row in stored]
        for bandit, row in zip(bandits, stored, strict=True):
            candidates = [arm.candidate for arm in arms if arm.bandit_id == row.id]
            if candidates != list(bandit.candidates):
                raise self._changed(f"with other arms of {bandit.setting}")
            if not row.base.items() <= bandit.base.items():  # a later version may have further settings
                raise self._changed(f"round {number} on another base of {bandit.setting}")
        ends = [
            Conclusion(row.outcome, list(bandit.candidates).index(row.winner))
            for bandit, row in zip(bandits, stored, strict=True)
            if row.outcome is not None and row.winner is not None
        ]
        self.conclusions = ends if len(ends) == len(bandits) else []

    def restore(self, number: int, round_: BanditRound) -> None:
        """Put back what the database knows of a round: scores, quarantined images and pulls."""
        bandits = [one.setting for one in round_.bandits]
        with self._database.reading() as session:
            known = queries.scores(session, self._name, round=number)
            round_.restore([image.quarantined for image in known.images], known.values)
            ranks = {arm.id: arm.rank for arm in known.arms}
            for pull in queries.all_pulls(session, self._name, round=number):
                index, arm = bandits.index(pull.setting), ranks[pull.arm_id]
                round_.replay(Pulled(index, pull.t, arm, pull.image_rank, pull.value, pull.success))

    def restore_check(self, round_: CheckRound) -> None:
        """Put back what the database knows of the check."""
        with self._database.reading() as session:
            known = queries.checks(session, self._name)
        compared = known.values[:, : round_.table.values.shape[1]]
        round_.table.restore([image.quarantined for image in known.images], compared)

    def name(self, position: int) -> str:
        """The data set's id of the image at a position of the permutation."""
        return self.images[position].name

    def add_scores(self, position: int, scores: Sequence[NewValue]) -> None:
        """Take scores of an image, to be written with the next :meth:`flush`."""
        image = self.images[position].id
        self._scores += [NewScore(self._arms[score.bandit][score.arm], image, score.value) for score in scores]

    def add_checks(self, position: int, values: Sequence[CheckedValue]) -> None:
        """Take what an image of the check came to, to be written with the next :meth:`flush`."""
        image = self.images[position].id
        self._checks += [NewCheck(image, one.subject, one.value) for one in values]

    def add_pulls(self, pulls: Sequence[Pulled]) -> None:
        """Take pulls, to be written with the next :meth:`flush`."""
        self._pulls += [
            NewPull(
                self._bandits[pull.bandit],
                pull.t,
                self._arms[pull.bandit][pull.arm],
                self.images[pull.position].id,
                pull.value,
                pull.success,
            )
            for pull in pulls
        ]

    def flush(self) -> None:
        """Commit what was taken.

        Raises:
            StaleLeaseError: If another controller took the job.
            DatabaseError: If the database cannot be written, still not after a minute of trying.
        """
        if self._scores or self._pulls:
            scores, pulls = self._scores, self._pulls
            done = self._write(lambda session: records.record(session, self._lease, scores, pulls))
            self.stop_requested = done.stop_requested
            self._scores, self._pulls = [], []
        if self._checks:
            checks = self._checks
            done = self._write(lambda session: records.record_checks(session, self._lease, checks))
            self.stop_requested = done.stop_requested
            self._checks = []

    def keep(self) -> None:
        """Renew the lease where a third of it is over."""
        if time.monotonic() - self._renewed >= LEASE / 3:
            self.stop_requested = self._write(lambda session: leases.renew(session, self._lease))
            self._renewed = time.monotonic()

    def fail(self, position: int, reason: str, failures: int, *, quarantine: bool) -> None:
        """Store how often an image failed, and whether it is left out for every arm now."""
        image = self.images[position].id
        self._write(
            lambda session: records.fail_image(
                session, self._lease, image, reason, failures=failures, quarantine=quarantine
            )
        )

    def event(self, kind: str, message: str) -> None:
        """Note something that happened, in words."""
        self._write(lambda session: records.log_event(session, self._lease, kind, message))

    def conclude(self, verdicts: Sequence[Verdict], winners: Sequence[int]) -> None:
        """Store how the bandits of the current round came out, and the arm chosen of each: of all of them at once."""

        def write(session: Session) -> None:
            for id_, arms, end, winner in zip(self._bandits, self._arms, verdicts, winners, strict=True):
                records.conclude(
                    session,
                    self._lease,
                    id_,
                    end.outcome,
                    may_be_best=[arms[arm] for arm in end.may_be_best],
                    winner=winner,
                    confidence=end.confidence,
                )

        self._write(write)
        self.conclusions = [Conclusion(end.outcome, arm) for end, arm in zip(verdicts, winners, strict=True)]

    def finish(self, state: Literal["finished", "stopped", "failed"], outcome: Outcome) -> None:
        """End the run and give the lease back."""
        self._write(lambda session: leases.finish(session, self._lease, state, outcome))

    def _changed(self, how: str) -> ChangedError:
        return ChangedError(
            f"job {self._name!r} began {how}, by another version of this program: go on with that version, or start a "
            "job of another name"
        )

    def _write(self, action: Callable[[Session], T]) -> T:
        return self._database.attempt(action)
