"""The one answer to a name that no job has.

Storage imports no sibling package, so it finds the nearest names by itself.
"""

import difflib

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.errors import UnknownJobError
from storage.models import Job


def unknown_job(session: Session, name: str) -> UnknownJobError:
    """The error to raise: it names the jobs whose names come nearest."""
    near = difflib.get_close_matches(name, session.scalars(select(Job.name)), n=3)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else "`tuner list` shows the jobs there are"
    return UnknownJobError(f"no job {name!r}; {hint}")
