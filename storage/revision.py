"""A job's revision: a number that is raised by everything that changes what can be asked about the job.

It is raised in the transaction that makes the change, so whoever reads a revision and then the job sees at least what
that revision stands for, and whoever finds the same revision again need not read the job. A lease that is renewed and
a score that is stored already leave it as it is.
"""

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from storage.models import JOBS

_RAISE = update(JOBS).where(JOBS.c.id == bindparam("job")).values(revision=JOBS.c.revision + 1)


def raise_revision(session: Session, job: int) -> None:
    """Make the job's revision the next one; writers at the same time wait for one another, and each counts."""
    session.connection().execute(_RAISE, {"job": job})
