"""A client of the service (docs/service.md).

Example::

from tuner.client import Client

with Client("http://127.0.0.1:8200") as service:
    for job in service.jobs():
        print(job.name, job.state, job.leading)
    Path("resnet18.yaml").write_bytes(service.weights("resnet18"))
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from tuner.errors import ServiceError
from tuner.service import schema
from tuner.service.options import TOKEN

Answer = TypeVar("Answer", bound=BaseModel)


class Client:
    """Asks a service about jobs, and steers them where it may be.

    An answer that has not changed since it was last asked for is not sent again.

    Args:
        url: Where the service is, with the path that a proxy shows it under.
        token: Its token; that of ``TUNER_TOKEN`` in the environment where none is given.
        timeout: Seconds to wait for an answer.

    Every method raises :class:`~tuner.errors.ServiceError` where the service refuses or does not answer.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 30.0) -> None:
        token = token or os.environ.get(TOKEN)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        self._kept: dict[str, tuple[str, bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def jobs(self, state: str | None = None) -> Iterator[schema.JobSummary]:
        """Every job, the newest first, read page by page."""
        for page in self._pages(schema.Jobs, "/jobs", state=state):
            yield from page.jobs

    def job(self, name: str) -> schema.Job:
        """A job with its bandits."""
        return self._get(schema.Job, _path("jobs", name))

    def arms(self, name: str, setting: str | None = None, round: int | None = None) -> Iterator[schema.Arm]:  # noqa: A002 (the field's name)
        """The arms of a job, read page by page."""
        for page in self._pages(schema.Arms, _path("jobs", name, "arms"), setting=setting, round=round):
            yield from page.arms

    def race(self, name: str, setting: str, round: int = 1) -> schema.Race:  # noqa: A002 (the field's name)
        """How the most promising arms of a bandit went over the images."""
        return self._get(schema.Race, _path("jobs", name, "race"), setting=setting, round=round)

    def pulls(self, name: str, setting: str | None = None, round: int | None = None) -> Iterator[schema.Pull]:  # noqa: A002 (the field's name)
        """The pulls of a job, the newest first, read page by page."""
        for page in self._pages(schema.Pulls, _path("jobs", name, "pulls"), setting=setting, round=round, limit=1000):
            yield from page.pulls

    def images(self, name: str, arms: Sequence[int] = ()) -> Iterator[schema.Image]:
        """The images of a job, those on which arms disagree most first, read page by page."""
        for page in self._pages(schema.Images, _path("jobs", name, "images"), arm=list(arms) or None):
            yield from page.images

    def image(self, name: str, rank: int) -> schema.OneImage:
        """An image with what the first thousand arms scored on it."""
        return self._get(schema.OneImage, _path("jobs", name, "images", rank))

    def trace(self, name: str, rank: int, arms: Sequence[int]) -> schema.Traced:
        """An image traced with chosen arms, on the service's machine."""
        return self._get(schema.Traced, _path("jobs", name, "images", rank, "trace"), arm=list(arms))

    def picture(self, name: str, rank: int, arm: int) -> bytes:
        """The picture of an image traced with an arm, a PNG."""
        return self._content(_path("jobs", name, "images", rank, "picture"), arm=arm)

    def events(self, name: str) -> Iterator[schema.Event]:
        """What happened to a job, the newest first, read page by page."""
        for page in self._pages(schema.Events, _path("jobs", name, "events")):
            yield from page.events

    def compare(self, first: str, second: str) -> schema.Comparison:
        """Two jobs on common images."""
        return self._get(schema.Comparison, "/compare", first=first, second=second)

    def weights(self, architecture: str) -> bytes:
        """The weight file of the newest finished job of an architecture."""
        return self._content(f"/weights/{quote(architecture)}")

    def job_weights(self, name: str) -> bytes:
        """The weight file of a job."""
        return self._content(_path("jobs", name, "weights"))

    def create(self, name: str, file: str) -> schema.Started:
        """Start a job, given the text of its file; where this very job is there already, nothing is done."""
        answer = self._send("PUT", _path("jobs", name), content=file.encode())
        return schema.Started.model_validate_json(answer.content)

    def stop(self, name: str) -> schema.Started:
        """Ask whoever runs a job to stop."""
        return schema.Started.model_validate_json(self._send("POST", _path("jobs", name, "stop")).content)

    def resume(self, name: str) -> schema.Started:
        """Go on with a job."""
        return schema.Started.model_validate_json(self._send("POST", _path("jobs", name, "resume")).content)

    def runs(self) -> list[schema.Run]:
        """What became of the jobs that the service started, the newest first."""
        return self._get(schema.Runs, "/runs").runs

    def _pages(self, kind: type[Answer], path: str, **query: Any) -> Iterator[Answer]:
        following: str | None = path
        while following is not None:
            page = self._get(kind, following, **query)
            yield page
            following, query = getattr(page, "next", None), {}

    def _get(self, kind: type[Answer], path: str, **query: Any) -> Answer:
        return kind.model_validate_json(self._content(path, **query))

    def _content(self, path: str, **query: Any) -> bytes:
        given = {key: value for key, value in query.items() if value is not None}
        address = f"{path}?{httpx.QueryParams(given)}" if given else path
        tag, kept = self._kept.get(address, ("", b""))
        answer = self._send("GET", address, headers={"If-None-Match": tag} if tag else {})
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return kept
        if "ETag" in answer.headers:
            self._kept = {**dict(list(self._kept.items())[-_KEPT:]), address: (answer.headers["ETag"], answer.content)}
        return answer.content

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise ServiceError(f"{self._http.base_url}: no answer: {error}; is `tuner serve` running there?") from error
        if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        try:
            detail = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = f"{answer.status_code} {answer.reason_phrase}; is it `tuner serve` that answers there?"
        raise ServiceError(f"{self._http.base_url}: {detail}", answer.status_code)


_KEPT = 100
"""Answers that are kept, at most."""


def _path(*parts: object) -> str:
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)
