"""The routes that steer jobs, where the server was started with ``--control``: create, stop, resume."""

from pathlib import Path as File
from threading import Lock
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from storage import leases, queries
from storage.errors import UnknownJobError
from tracer.documents import MAX_BYTES, parse_document
from tracer.errors import DocumentError
from tuner.errors import JobError, SpecError
from tuner.service import schema
from tuner.service.allowed import check_allowed
from tuner.service.answers import Answers, address
from tuner.service.options import Control
from tuner.service.problems import documented
from tuner.service.reading import Name
from tuner.service.runs import Runs
from tuner.service.watch import Watch
from tuner.spec.job import JobSpec, make_job, named_job, stored_job

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A job file: YAML, or JSON, which is YAML too.",
        "content": {
            "application/yaml": {
                "schema": {"type": "string", "maxLength": MAX_BYTES},
                "example": "architecture: resnet18\ndataset: {kind: imagenet, root: imagenet, images: 1000}\n",
            }
        },
    }
}


def steering(answers: Answers, watch: Watch, control: Control, runs: Runs) -> APIRouter:
    """The routes that steer jobs."""
    router = APIRouter(tags=["steering"])
    creating = Lock()  # of two requests for one name the second finds what the first started

    def locked(name: str, text: str) -> tuple[str, str, bool]:
        with creating:
            return _create(answers, control, runs, name, text)

    @router.put(
        "/jobs/{name}",
        summary="Create a job",
        status_code=201,
        responses=documented(409, 413, 415, 422, 429) | {200: {"model": schema.Started, "description": "It was there"}},
        openapi_extra=BODY,
    )
    async def create(name: Name, request: Request, response: Response) -> schema.Started:
        """Check a job file and start its job: 201; 200 where this very job is there; 409 where another one is.

        The job's images and network are checked as it starts; `GET /runs` tells what became of that.
        """
        text = _text(await request.body())
        state, detail, created = await run_in_threadpool(locked, name, text)
        await watch.note()
        response.status_code = 201 if created else 200
        response.headers["Location"] = request.scope["root_path"] + address("jobs", name)
        return schema.Started(name=name, state=state, detail=detail)

    @router.post("/jobs/{name}/stop", summary="Stop a job", status_code=202, responses=documented(404, 409, 422))
    def stop(name: Name) -> schema.Started:
        """Ask whoever runs the job to stop; what is known is committed first."""
        with answers.database.writing() as session:
            state = leases.request_stop(session, name)
        return schema.Started(name=name, state=state, detail="was told to stop" if state == "stopping" else "stopped")

    @router.post(
        "/jobs/{name}/resume", summary="Go on with a job", status_code=202, responses=documented(404, 409, 422, 429)
    )
    async def resume(name: Name) -> schema.Started:
        """Go on with a job that was stopped, failed or whose process died."""
        detail = await run_in_threadpool(_resume, answers, control, runs, name)
        await watch.note()
        return schema.Started(name=name, state="starting", detail=detail)

    @router.get("/runs", summary="What was started", responses=documented())
    def told() -> schema.Runs:
        """What became of the jobs that this server started."""
        return schema.Runs(runs=runs.told())

    return router


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError("the job file is not text in UTF-8") from error


def _create(answers: Answers, control: Control, runs: Runs, name: str, text: str) -> tuple[str, str, bool]:
    """Start a new job, if it is new; returns its state, what was done, and whether it was new."""
    spec = read_job(text, name, control.roots[0])
    check_allowed(spec, control)
    stored, state = _stored(answers, name)
    if stored is None:
        starting = runs.starting(name)
        stored, state = (None, "") if starting is None else (starting.canonical(), "starting")
    if stored is None:
        return "starting", runs.start(spec), True
    if stored != spec.canonical():
        raise JobError(f"job {name!r} exists with another configuration; choose another name")
    return state, "this job is there already", False


def read_job(text: str, name: str, folder: File) -> JobSpec:
    """The job of a text, under a name; relative paths start from a folder.

    Raises:
        SpecError: If it says what no job can be.
    """
    try:
        document = parse_document(text, "the job file")
    except DocumentError as error:
        raise SpecError(str(error)) from error
    return make_job(named_job(document, name), folder)


def _stored(answers: Answers, name: str) -> tuple[dict[str, Any] | None, str]:
    with answers.database.reading() as session:
        try:
            job = queries.job(session, name)
        except UnknownJobError:
            return None, ""
    return dict(job.spec), job.state


def _resume(answers: Answers, control: Control, runs: Runs, name: str) -> str:
    with answers.database.reading() as session:
        job = queries.job(session, name)
    if job.live:
        raise JobError(f"job {name!r} runs already")
    if job.state == "finished":
        raise JobError(f"job {name!r} is finished")
    check_allowed(stored_job(name, job.spec), control)
    return runs.resume(name)
