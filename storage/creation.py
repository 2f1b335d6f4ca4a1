"""Jobs and rounds as they are stored for the first time, with images, bandits and arms.

All functions take a session of :meth:`storage.engine.Database.writing`; its end is the commit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from storage.clock import now
from storage.errors import JobExistsError
from storage.leases import Lease, fence
from storage.models import ARMS, IMAGES, BanditRecord, Candidate, Job, Value
from storage.revision import raise_revision


@dataclass(frozen=True)
class NewBandit:
    """A bandit: the setting that it tunes, with an arm a candidate.

    Args:
        setting: Its name, or ``joint``; 1 to 40 characters.
        base: What the settings that it does not tune are held at.
        candidates: What each arm tries, in the order of the arms: a value of the setting, or a mapping from setting to
            value.

    Raises:
        ValueError: If the name is not usable, or there is no arm.
    """

    setting: str
    base: Mapping[str, Value]
    candidates: Sequence[Candidate]

    def __post_init__(self) -> None:
        if not 1 <= len(self.setting) <= 40:
            raise ValueError(f"setting {self.setting!r}: a name has 1 to 40 characters")
        if not self.candidates:
            raise ValueError(f"setting {self.setting!r} has no arms: give it at least one candidate")


@dataclass(frozen=True)
class NewJob:
    """A job to be created.

    Args:
        name: Unique; 1 to 200 characters.
        spec: The configuration, JSON-able; stored with sorted keys and compared as such.
        seed: The job's root seed.
        threshold: A pull succeeds where the value that it reads is at least this; in (0, 1].
        images: The data set's ids of the sampled images, in the order of the permutation.
        held_out: How many of them, the last ones, are kept from the bandits for the check.
        bandits: Those of round 1.
        dataset_sha256: Of the data set's ids, boxes and labels; hexadecimal.
        pixels_sha256: Of the pixels of the sampled images; hexadecimal.
        checkpoint_sha256: Of the file of the network's parameters; hexadecimal.
        parameters_sha256: Of the network's parameters as they were loaded; hexadecimal.
        code_sha256: Of the user's own code that the job names, and of what it holds; hexadecimal.
        versions: Package name to version.
        baseline: Figures of the box around the whole image, on the images that bandits see; JSON-able.

    Raises:
        ValueError: If the name, the threshold, the list of images or the number held out is not usable.
    """

    name: str
    spec: Mapping[str, Any]
    seed: int
    threshold: float
    images: Sequence[str]
    bandits: Sequence[NewBandit]
    held_out: int = 0
    dataset_sha256: str | None = None
    pixels_sha256: str | None = None
    checkpoint_sha256: str | None = None
    parameters_sha256: str | None = None
    code_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 200:
            raise ValueError(f"name {self.name!r}: a name has 1 to 200 characters")
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold!r}: a threshold lies in (0, 1]")
        if not self.images:
            raise ValueError(f"job {self.name!r} has no images: sample at least one")
        if not 0 <= self.held_out < len(self.images):
            raise ValueError(f"held_out {self.held_out}: leave the bandits at least one of {len(self.images)} images")


def canonical(spec: Mapping[str, Any]) -> str:
    """The configuration as JSON with sorted keys: equal text for equal configurations.

    Raises:
        ValueError: If a number is not finite or a value is not JSON-able.
    """
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def create_job(session: Session, job: NewJob) -> int:
    """Store a new job with its images, bandits and arms, state ``pending``; returns its id.

    Raises:
        JobExistsError: If the name is taken; its ``same`` says whether by the same configuration.
    """
    spec = canonical(job.spec)
    _claim(session, job.name)
    known = session.execute(select(Job.spec, Job.state).where(Job.name == job.name)).one_or_none()
    if known is not None:
        if known.spec == spec and known.state == "finished":
            raise JobExistsError(f"job {job.name!r} is finished: see `tuner status {job.name}`", same=True)
        if known.spec == spec:
            raise JobExistsError(f"job {job.name!r} exists; go on with it by `tuner resume {job.name}`", same=True)
        difference = _difference(known.spec, spec)
        raise JobExistsError(
            f"job {job.name!r} exists with another configuration ({difference}); choose another name", same=False
        )
    job_id = session.execute(
        insert(Job).returning(Job.id),
        {
            "name": job.name,
            "spec": spec,
            "seed": job.seed,
            "threshold": job.threshold,
            "created": session.execute(select(now())).scalar_one(),
            "dataset_sha256": job.dataset_sha256,
            "pixels_sha256": job.pixels_sha256,
            "checkpoint_sha256": job.checkpoint_sha256,
            "parameters_sha256": job.parameters_sha256,
            "code_sha256": job.code_sha256,
            "versions": dict(job.versions),
            "baseline": dict(job.baseline),
            "images": len(job.images),
            "held_out": job.held_out,
        },
    ).scalar_one()
    session.connection().execute(
        insert(IMAGES), [{"job_id": job_id, "rank": rank, "name": name} for rank, name in enumerate(job.images)]
    )
    _add_round(session, job_id, 1, job.bandits)
    return job_id


def _claim(session: Session, name: str) -> None:
    """Let whoever creates a job of the same name at the same time wait for the end of this transaction."""
    if session.connection().dialect.name == "postgresql":  # SQLite has but one writer at any time
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"tuner job {name}"))))


def add_round(session: Session, lease: Lease, number: int, bandits: Sequence[NewBandit]) -> None:
    """Store the bandits of a further round; does nothing where that round is stored already.

    Raises:
        StaleLeaseError: If the lease is no longer this controller's.
    """
    fence(session, lease)
    known = select(BanditRecord.id).where(BanditRecord.job_id == lease.job, BanditRecord.round == number).limit(1)
    if session.execute(known).scalar_one_or_none() is None:
        _add_round(session, lease.job, number, bandits)
        raise_revision(session, lease.job)


def _add_round(session: Session, job: int, number: int, bandits: Sequence[NewBandit]) -> None:
    for bandit in bandits:
        bandit_id = session.execute(
            insert(BanditRecord).returning(BanditRecord.id),
            {"job_id": job, "round": number, "setting": bandit.setting, "base": dict(bandit.base)},
        ).scalar_one()
        session.connection().execute(
            insert(ARMS),
            [
                {"bandit_id": bandit_id, "rank": rank, "candidate": candidate}
                for rank, candidate in enumerate(bandit.candidates)
            ],
        )


def _difference(stored: str, given: str) -> str:
    """The names of the top-level entries that differ between two configurations."""
    old, new = json.loads(stored), json.loads(given)
    names = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return "its " + ", ".join(names) + (" differs" if len(names) == 1 else " differ")
