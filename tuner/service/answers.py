"""Answers about jobs, made once for each state of the database: the API, the pages and the metrics share them.

What is told of arms, bandits and checks comes from :mod:`tuner.results`; nothing is computed here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from threading import Lock
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, urlencode

from sqlalchemy.orm import Session

from storage import queries
from storage.engine import Database
from storage.errors import MovedError
from storage.models import JobState
from storage.rows import ImageRow, JobRow
from tuner.errors import MissingError
from tuner.results import export, images, tables
from tuner.service import schema
from tuner.service.views import JobView, job_view
from tuner.service.watch import Watch
from tuner.spec.reward import stored_reward

KEPT = 512
"""Answers that are kept, at most; one is a page of rows or less."""

P = ParamSpec("P")
T = TypeVar("T")


class Answers:
    """Answers about the jobs of a database.

    Args:
        storage: URL of the database; opened at first use, and again where it was not there.
        watch: Knows the state that an answer is kept for.
    """

    def __init__(self, storage: str, watch: Watch) -> None:
        self._storage = storage
        self._watch = watch
        self._opening = Lock()
        self._open: Database | None = None
        self._kept = lru_cache(KEPT)(self._made)

    @property
    def database(self) -> Database:
        """The database.

        Raises:
            DatabaseError: If it cannot be used.
        """
        with self._opening:
            if self._open is None:
                self._open = Database.open(self._storage)
            return self._open

    def close(self) -> None:
        """Let go of the database."""
        with self._opening:
            if self._open is not None:
                self._open.close()
            self._open = None

    def jobs(self, state: JobState | None, before: int | None, limit: int) -> schema.Jobs:
        """A page of jobs, the newest first."""
        rows = self._answer(_jobs, None, state, before, limit + 1)
        shown = rows[:limit]
        following = address("jobs", state=state, before=shown[-1][0], limit=limit) if len(rows) > limit else None
        return schema.Jobs(jobs=[self._answer(_summary, name) for _, name in shown], next=following)

    def job(self, name: str) -> schema.Job:
        """A job with its bandits."""
        return self._answer(_job, name)

    def arms(
        self, name: str, setting: str | None, round_: int | None, top: int | None, after: int, limit: int
    ) -> schema.Arms:
        """A page of a job's arms, from one position on."""
        return self._answer(_arms, name, setting, round_, top, after, limit)

    def view(self, name: str, round_: int | None) -> JobView:
        """What the page of a job shows of one of its rounds."""
        return self._answer(job_view, name, round_)

    def race(self, name: str, setting: str, round_: int, top: int) -> schema.Race:
        """How the most promising arms of a bandit went over the images."""
        return self._answer(_race, name, setting, round_, top)

    def pulls(self, name: str, setting: str | None, round_: int | None, before: str | None, limit: int) -> schema.Pulls:
        """A page of a job's pulls, the newest first."""
        return self._answer(_pulls, name, setting, round_, before, limit)

    def images(self, name: str, arms: Sequence[int], after: int, limit: int) -> schema.Images:
        """A page of a job's images, from one position on, those on which arms disagree most first."""
        return self._answer(_images, name, tuple(arms), after, limit)

    def image(self, name: str, rank: int, after: int, limit: int) -> schema.OneImage:
        """An image with what arms scored on it.

        Raises:
            MissingError: If the job has no image there.
        """
        return self._answer(_image, name, rank, after, limit)

    def events(self, name: str, before: int | None, limit: int) -> schema.Events:
        """A page of what happened to a job, the newest first."""
        return self._answer(_events, name, before, limit)

    def compare(self, first: str, second: str) -> schema.Comparison:
        """Two jobs on common images."""
        return self._answer(_compare, None, first, second)

    def weights(self, name: str) -> bytes:
        """The weight file of a job: the bytes that `tuner export` writes.

        Raises:
            JobError: If the job has learned nothing final yet.
        """
        return self._answer(_weights, name)

    def newest_of(self, architecture: str) -> str:
        """The newest finished job of an architecture.

        Raises:
            JobError: If there is none.
        """
        return self._answer(_newest_of, None, architecture)

    def _answer(self, question: Callable[..., T], about: str | None, *arguments: Any) -> T:
        """The answer, kept for as long as the job that it is about stays as it is, or all jobs, where about is None."""
        revision = self._watch.revision(about)
        if about is not None:
            arguments = (about, *arguments)
        if revision is None:
            return self._made(question, arguments, None)
        kept: T = self._kept(question, arguments, revision)
        return kept

    def _made(self, question: Callable[..., T], arguments: tuple[Any, ...], _revision: str | None) -> T:
        try:
            with self.database.reading() as session:
                return question(session, *arguments)
        except MovedError:  # another file is there now, or will be: the next question opens that one
            self.close()
            raise


def address(*parts: object, **query: object) -> str:
    """The path of an answer with its query, leaving out what is None."""
    path = "".join(f"/{quote(str(part), safe='')}" for part in parts)
    given = {key: value for key, value in query.items() if value not in (None, ())}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _jobs(session: Session, state: JobState | None, before: int | None, limit: int) -> list[tuple[int, str]]:
    return [(job.id, job.name) for job in queries.jobs(session, state=state, before=before, limit=limit)]


def _summary(session: Session, name: str) -> schema.JobSummary:
    return schema.JobSummary.model_validate(_fields(queries.job(session, name), tables.status(session, name).rows))


def _fields(job: JobRow, bandits: list[dict[str, Any]]) -> dict[str, Any]:
    last = bandits[-1]["round"]
    return tables.job_row(job) | {
        "reward": stored_reward(job.spec).name,
        "budget": sum(bandit["budget"] for bandit in bandits),
        "check": bandits[0]["check"],
        "leading": [
            bandit
            | (
                {"candidate": bandit["leading"]}
                if bandit["outcome"] is None
                else {"candidate": bandit["winner"], "mean": bandit["winner_mean"]}
            )
            for bandit in bandits
            if bandit["round"] == last
        ],
    }


def _job(session: Session, name: str) -> schema.Job:
    job, status = queries.job(session, name), tables.status(session, name)
    more = {"bandits": status.rows, "notes": list(status.notes), "spec": dict(job.spec)}
    return schema.Job.model_validate(_fields(job, status.rows) | more)


def _arms(
    session: Session, name: str, setting: str | None, round_: int | None, top: int | None, after: int, limit: int
) -> schema.Arms:
    table = tables.arms(session, name, setting, round_, top)
    following = None
    if len(table.rows) > after + limit:
        asked: Mapping[str, object] = {"setting": setting, "round": round_, "top": top, "limit": limit}
        following = address("jobs", name, "arms", **asked, after=after + limit)
    mean = f"mean_{stored_reward(queries.job(session, name).spec).name}"
    rows = [row | {"mean_value": row[mean]} for row in table.rows[after : after + limit]]
    return schema.Arms.model_validate({"arms": rows, "notes": list(table.notes), "next": following})


def _race(session: Session, name: str, setting: str, round_: int, top: int) -> schema.Race:
    table = images.race(session, name, setting, round_, top)
    return schema.Race.model_validate(
        {"setting": setting, "round": round_, "arms": table.rows, "notes": list(table.notes)}
    )


def _pulls(
    session: Session, name: str, setting: str | None, round_: int | None, before: str | None, limit: int
) -> schema.Pulls:
    begin = {} if before is None else read_cursor(before)
    rows = queries.newest_pulls(session, name, setting=setting, round=round_, before=begin, limit=limit + 1)
    shown, following = rows[:limit], None
    if len(rows) > limit:
        reached = begin | {pull.bandit_id: pull.t for pull in shown}  # the last of a bandit is its lowest t
        following = address(
            "jobs", name, "pulls", setting=setting, round=round_, limit=limit, before=write_cursor(reached)
        )
    return schema.Pulls.model_validate({"pulls": [asdict(pull) for pull in shown], "next": following})


def read_cursor(text: str) -> dict[int, int]:
    """Where a page of pulls begins, as :func:`write_cursor` wrote it: the t that each bandit's pulls lie below."""
    return {int(bandit): int(t) for bandit, _, t in (part.partition("-") for part in text.split("."))}


def write_cursor(reached: Mapping[int, int]) -> str:
    """``BANDIT-T.BANDIT-T`` ..."""
    return ".".join(f"{bandit}-{t}" for bandit, t in sorted(reached.items()))


def _images(session: Session, name: str, arms: tuple[int, ...], after: int, limit: int) -> schema.Images:
    table = images.disagreements(session, name, arms)
    more = len(table.rows) > after + limit
    following = address("jobs", name, "images", arm=arms, after=after + limit, limit=limit) if more else None
    return schema.Images.model_validate(
        {"images": table.rows[after : after + limit], "notes": list(table.notes), "next": following}
    )


def _image(session: Session, name: str, rank: int, after: int, limit: int) -> schema.OneImage:
    image = find_image(session, name, rank)
    rows = queries.image_scores(session, name, rank, after=after, limit=limit + 1)
    more = len(rows) > limit
    following = address("jobs", name, "images", rank, after=rows[limit - 1].arm_id, limit=limit) if more else None
    return schema.OneImage.model_validate(
        {
            "rank": rank,
            "image": image.name,
            "quarantined": image.quarantined,
            "error": image.error,
            "scores": [asdict(row) for row in rows[:limit]],
            "next": following,
        }
    )


def find_image(session: Session, name: str, rank: int) -> ImageRow:
    """The image of a job at a position of its permutation.

    Raises:
        MissingError: If the job has none there.
    """
    image = queries.image(session, name, rank)
    if image is None:
        raise MissingError(f"job {name!r} has no image {rank}; it has {queries.job(session, name).images}, from 0")
    return image


def _events(session: Session, name: str, before: int | None, limit: int) -> schema.Events:
    rows = queries.newest_events(session, name, before=before, limit=limit + 1)
    following = address("jobs", name, "events", before=rows[limit - 1].id, limit=limit) if len(rows) > limit else None
    return schema.Events.model_validate({"events": [asdict(row) for row in rows[:limit]], "next": following})


def _compare(session: Session, first: str, second: str) -> schema.Comparison:
    table = images.compare_images(session, first, second)
    return schema.Comparison.model_validate(
        {"first": first, "second": second, "pairs": table.rows, "notes": list(table.notes)}
    )


def _weights(session: Session, name: str) -> bytes:
    return export.weights(session, queries.job(session, name)).to_bytes()


def _newest_of(session: Session, architecture: str) -> str:
    return export.newest(session, architecture).name
