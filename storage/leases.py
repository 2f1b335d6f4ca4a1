"""One controller a job: a lease that is renewed, with an epoch that fences whoever held it before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from storage.clock import now
from storage.errors import JobStateError, LeaseHeldError, StaleLeaseError
from storage.lookup import unknown_job
from storage.models import Job, JobState, Outcome
from storage.revision import raise_revision


@dataclass(frozen=True)
class Lease:
    """The right to write to a job, until another controller takes it.

    Args:
        job: The job's id.
        epoch: Grows with every lease of the job.
        owner: Who holds it, in words for the user; no two controllers call themselves the same.
        seconds: How long it lasts after each renewal.
    """

    job: int
    epoch: int
    owner: str
    seconds: float


_FENCE = (
    select(Job.name, Job.owner, Job.epoch, Job.stop_requested, now().label("now"))
    .where(Job.id == bindparam("job"))
    .with_for_update()  # PostgreSQL: no other writer until the transaction ends; SQLite has but one at any time
)


class Fenced(NamedTuple):
    """What a writer learns of its job as it passes the fence."""

    stop_requested: bool
    now: datetime


def acquire(session: Session, name: str, owner: str, *, seconds: float = 30.0, evict: int | None = None) -> Lease:
    """A lease of the job, which is ``running`` from now on; an earlier request to stop it is forgotten.

    Whoever holds the lease already gets it again. So a controller may simply repeat a call whose commit may or may not
    have arrived.

    Args:
        session: Of ``Database.writing``.
        name: The job's.
        owner: Who asks, in words for the user; unlike what any other controller calls itself.
        seconds: How long the lease lasts unless renewed.
        evict: Epoch of a holder who is known to be dead (:attr:`LeaseHeldError.epoch`): the job is taken from it
            without waiting for its lease to expire. Whoever took the job since is left alone. A holder who is alive
            after all is fenced and can write no more.

    Raises:
        UnknownJobError: If there is no such job.
        JobStateError: If the job is finished.
        LeaseHeldError: If another controller holds it.
    """
    job = session.execute(
        select(Job.id, Job.state, Job.owner, Job.epoch, Job.started, Job.lease_expires, now().label("now"))
        .where(Job.name == name)
        .with_for_update()
    ).one_or_none()
    if job is None:
        raise unknown_job(session, name)
    if job.owner == owner:
        lease = Lease(job.id, job.epoch, owner, seconds)
        renew(session, lease)
        return lease
    if job.state == "finished":
        raise JobStateError(f"job {name!r} is finished; `tuner arms {name}` shows its arms")
    if job.owner is not None and job.lease_expires > job.now and job.epoch != evict:
        left = (job.lease_expires - job.now).total_seconds()
        raise LeaseHeldError(
            f"job {name!r} is run by {job.owner}; stop it with `tuner stop {name}`, or wait: "
            f"if that process is dead the job is free in {left:.0f} s",
            owner=job.owner,
            epoch=job.epoch,
            seconds=left,
        )
    session.execute(
        update(Job)
        .where(Job.id == job.id)
        .values(
            owner=owner,
            epoch=job.epoch + 1,
            lease_expires=job.now + timedelta(seconds=seconds),
            state="running",
            outcome=None,
            stop_requested=False,
            started=job.started or job.now,
            ended=None,
        )
    )
    raise_revision(session, job.id)
    return Lease(job.id, job.epoch + 1, owner, seconds)


def fence(session: Session, lease: Lease) -> Fenced:
    """Check that the lease is still the job's, and keep it so until the transaction ends.

    Raises:
        StaleLeaseError: If another controller took it, or it was given back.
    """
    job = session.connection().execute(_FENCE, {"job": lease.job}).one_or_none()
    if job is None:
        raise StaleLeaseError(f"job {lease.job} is gone from the database; stop this process")
    if job.epoch != lease.epoch or job.owner != lease.owner:
        holder = f"now run by {job.owner}" if job.owner is not None else "no longer run by anybody"
        raise StaleLeaseError(
            f"job {job.name!r} is {holder} (epoch {job.epoch}, this process had {lease.epoch}); stop this process"
        )
    return Fenced(job.stop_requested, job.now)


def renew(session: Session, lease: Lease) -> bool:
    """Prolong the lease; returns whether somebody asked the job to stop.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's.
    """
    job = fence(session, lease)
    session.execute(
        update(Job).where(Job.id == lease.job).values(lease_expires=job.now + timedelta(seconds=lease.seconds))
    )
    return job.stop_requested


def finish(session: Session, lease: Lease, state: Literal["finished", "stopped", "failed"], outcome: Outcome) -> None:
    """End the job's run and give the lease back. A stopped or failed job can be acquired again.

    A lease that was given back in just this way stays so: the call may be repeated where its commit may have arrived.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's.
    """
    ended = select(Job.epoch, Job.owner, Job.state, Job.outcome).where(Job.id == lease.job)
    if session.execute(ended).one_or_none() == (lease.epoch, None, state, outcome):
        return
    job = fence(session, lease)
    session.execute(
        update(Job)
        .where(Job.id == lease.job)
        .values(state=state, outcome=outcome, ended=job.now, owner=None, lease_expires=None, stop_requested=False)
    )
    raise_revision(session, lease.job)


def request_stop(session: Session, name: str) -> JobState:
    """Ask whoever runs the job to stop; returns the job's state now.

    ``stopping`` means that its controller has been told; a job whose controller is gone is ``stopped`` at once.

    Raises:
        UnknownJobError: If there is no such job.
        JobStateError: If the job is neither running nor pending.
    """
    job = session.execute(
        select(Job.id, Job.state, Job.owner, Job.lease_expires, now().label("now"))
        .where(Job.name == name)
        .with_for_update()
    ).one_or_none()
    if job is None:
        raise unknown_job(session, name)
    if job.state not in ("pending", "running", "stopping"):
        raise JobStateError(f"job {name!r} is {job.state}; only a pending or running job can be stopped")
    raise_revision(session, job.id)
    if job.owner is not None and job.lease_expires > job.now:
        session.execute(update(Job).where(Job.id == job.id).values(state="stopping", stop_requested=True))
        return "stopping"
    session.execute(
        update(Job)
        .where(Job.id == job.id)
        .values(state="stopped", outcome="stopped", ended=job.now, owner=None, lease_expires=None, epoch=Job.epoch + 1)
    )
    return "stopped"
