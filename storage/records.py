"""What the controller writes. Every write is fenced, and writing it again has no second effect.

*Fenced*: a controller holds a lease with an epoch, and each transaction first reads the job's row (locking it, on
PostgreSQL) and compares. Whoever lost the lease gets :class:`~storage.errors.StaleLeaseError` and writes nothing.

*Once*: a score or pull that is stored already is left alone, and an arm's counters grow by what was inserted. So a
controller that does not know whether its last commit arrived simply writes the same again.

All functions take a session of :meth:`storage.engine.Database.writing`; its end is the commit.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from storage.bulk import BulkInsert
from storage.errors import IntegrityError
from storage.leases import Lease, fence
from storage.models import ARMS, CHECKS, PULLS, SCORES, Arm, BanditRecord, Event, Image, Job, Outcome, Pull, Subject
from storage.revision import raise_revision

VALUE_STEP = 2.0**-28
"""An arm's ``value_sum`` adds values rounded to this step (4e-9): so it is exact in a double, whatever their order."""

# The statements of every commit, built once: building them took longer than SQLite takes to run them.
_INSERT_SCORES = BulkInsert(SCORES, ("arm_id", "image_id", "value"), known=("arm_id", "image_id"))
_INSERT_CHECKS = BulkInsert(CHECKS, ("image_id", "subject", "value"), known=("image_id", "subject"))
_INSERT_PULLS = BulkInsert(PULLS, ("bandit_id", "t", "arm_id", "image_id", "success", "at"))
_STORED_PULLS = select(Pull.t, Pull.arm_id, Pull.image_id).where(
    Pull.bandit_id == bindparam("bandit"), Pull.t.between(bindparam("first"), bindparam("last"))
)
_COUNT = (
    update(ARMS)
    .where(ARMS.c.id == bindparam("arm"))
    .values(
        pulls=ARMS.c.pulls + bindparam("new_pulls"),
        successes=ARMS.c.successes + bindparam("new_successes"),
        value_sum=ARMS.c.value_sum + bindparam("new_value"),
    )
)


class NewScore(NamedTuple):
    """The value of an arm on an image, by their ids."""

    arm: int
    image: int
    value: float


class NewPull(NamedTuple):
    """The ``t``-th pull of a bandit (from 1): arm and image by their ids, the value that it read, and its reward."""

    bandit: int
    t: int
    arm: int
    image: int
    value: float
    success: bool


class NewCheck(NamedTuple):
    """The value of a subject on an image (by its id) that was kept from the bandits."""

    image: int
    subject: Subject
    value: float


class Recorded(NamedTuple):
    """How many scores and pulls were new, and whether somebody asked the job to stop."""

    scores: int
    pulls: int
    stop_requested: bool


def record(session: Session, lease: Lease, scores: Sequence[NewScore] = (), pulls: Sequence[NewPull] = ()) -> Recorded:
    """Store scores and pulls and count what was new. A pull's score must be stored before or given with it.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's; nothing is written.
        IntegrityError: If a pull contradicts a stored one, repeats an image for its arm, or has no score;
            nothing is written.
    """
    job = fence(session, lease)
    inserted = _insert_scores(session, scores) if scores else 0
    fresh = _new_pulls(session, pulls) if pulls else []
    if fresh:
        _INSERT_PULLS(
            session.connection(),
            [
                {
                    "bandit_id": p.bandit,
                    "t": p.t,
                    "arm_id": p.arm,
                    "image_id": p.image,
                    "success": p.success,
                    "at": job.now,
                }
                for p in fresh
            ],
        )
        _count(session, fresh)
    if inserted or fresh:
        raise_revision(session, lease.job)
    return Recorded(inserted, len(fresh), job.stop_requested)


def record_checks(session: Session, lease: Lease, checks: Sequence[NewCheck]) -> Recorded:
    """Store what the check came to on some images, at least one; returns how many scores were new.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's; nothing is written.
    """
    job = fence(session, lease)
    rows = [{"image_id": check.image, "subject": check.subject, "value": check.value} for check in checks]
    inserted = _INSERT_CHECKS(session.connection(), rows)
    if inserted:
        raise_revision(session, lease.job)
    return Recorded(inserted, 0, job.stop_requested)


def fail_image(
    session: Session, lease: Lease, image: int, error: str, *, failures: int, quarantine: bool = False
) -> None:
    """Store how often an image failed, and leave it out for every arm where that is asked for.

    Args:
        session: Of ``Database.writing``.
        lease: The controller's.
        image: Its id.
        error: Why it failed last, in one line.
        failures: How often it failed, as the controller counts. Writing the same failure again changes nothing.
        quarantine: Whether it is left out from now on. An image that was left out stays so.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's.
        IntegrityError: If the job has no such image.
    """
    job = fence(session, lease)
    row = session.execute(
        select(Image.name, Image.quarantined).where(Image.id == image, Image.job_id == lease.job)
    ).one_or_none()
    if row is None:
        raise IntegrityError(f"image {image} is none of this job's; pass an id from `queries.images`")
    if row.quarantined:
        return
    session.execute(
        update(Image).where(Image.id == image).values(failures=failures, quarantined=quarantine, error=error)
    )
    if quarantine:
        session.execute(update(Job).where(Job.id == lease.job).values(quarantined=Job.quarantined + 1))
        message = f"image {row.name} is left out for every arm after {failures} failures: {error}"
        session.execute(insert(Event), {"job_id": lease.job, "at": job.now, "kind": "quarantine", "message": message})
    raise_revision(session, lease.job)


def conclude(
    session: Session,
    lease: Lease,
    bandit: int,
    outcome: Outcome,
    *,
    may_be_best: Sequence[int],
    winner: int | None,
    confidence: float | None,
) -> None:
    """Store how a bandit came out.

    Args:
        session: Of ``Database.writing``.
        lease: The controller's.
        bandit: Its id.
        outcome: Why it ended.
        may_be_best: Ids of the arms that may be best.
        winner: The rank of the arm chosen among them.
        confidence: Probability in [0, 1] that the best arm is among them.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's.
    """
    fence(session, lease)
    session.execute(
        update(BanditRecord)
        .where(BanditRecord.id == bandit, BanditRecord.job_id == lease.job)
        .values(outcome=outcome, winner_rank=winner, confidence=confidence)
    )
    session.execute(update(Arm).where(Arm.bandit_id == bandit).values(may_be_best=Arm.id.in_(may_be_best)))
    raise_revision(session, lease.job)


def log_event(session: Session, lease: Lease, kind: str, message: str) -> None:
    """Store something that happened to the job.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's.
    """
    job = fence(session, lease)
    session.execute(insert(Event), {"job_id": lease.job, "at": job.now, "kind": kind, "message": message})
    raise_revision(session, lease.job)


def _insert_scores(session: Session, scores: Sequence[NewScore]) -> int:
    rows = [{"arm_id": score.arm, "image_id": score.image, "value": score.value} for score in scores]
    return _INSERT_SCORES(session.connection(), rows)


def _new_pulls(session: Session, pulls: Sequence[NewPull]) -> list[NewPull]:
    """The pulls that are not stored yet, of a batch in any order and with repetitions."""
    trials: dict[int, list[int]] = defaultdict(list)
    for pull in pulls:
        trials[pull.bandit].append(pull.t)
    known: dict[tuple[int, int], tuple[int, int]] = {}
    for bandit, ts in trials.items():
        stored = session.connection().execute(_STORED_PULLS, {"bandit": bandit, "first": min(ts), "last": max(ts)})
        known |= {(bandit, t): (arm, image) for t, arm, image in stored}
    fresh = []
    for pull in pulls:
        before = known.get((pull.bandit, pull.t))
        if before is None:
            known[pull.bandit, pull.t] = (pull.arm, pull.image)
            fresh.append(pull)
        elif before != (pull.arm, pull.image):
            raise IntegrityError(
                f"pull {pull.t} of bandit {pull.bandit} is stored as arm {before[0]} on image {before[1]}, "
                f"not arm {pull.arm} on image {pull.image}; resume the job from the database"
            )
    return fresh


def _count(session: Session, pulls: Sequence[NewPull]) -> None:
    """Bump the counters of the arms that were pulled."""
    totals: dict[int, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for pull in pulls:
        total = totals[pull.arm]
        total[0] += 1
        total[1] += pull.success
        total[2] += math.floor(pull.value / VALUE_STEP + 0.5) * VALUE_STEP
    session.connection().execute(
        _COUNT,
        [
            {"arm": arm, "new_pulls": pulls, "new_successes": successes, "new_value": value}
            for arm, (pulls, successes, value) in sorted(totals.items())
        ],
    )
