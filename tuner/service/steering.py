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


class Steering:
    """Creates, stops and resumes jobs, for the API and the pages.

    Args:
        answers: Know the jobs.
        watch: Is told what the database does not hold.
        control: How far jobs may be steered.
        runs: Where they run.
    """

    def __init__(self, answers: Answers, watch: Watch, control: Control, runs: Runs) -> None:
        self._answers = answers
        self._watch = watch
        self._control = control
        self._runs = runs
        watch.watch_also(runs.standing)
        self._creating = Lock()  # of two requests for one name the second finds what the first started

    @property
    def folder(self) -> File:
        """Where relative paths of a job file start."""
        return self._control.roots[0]

    def told(self) -> list[schema.Run]:
        """What became of what was started here, the newest first.

        A process that was told to stop ends like one that failed; the database tells them apart.

        Raises:
            ClusterError: If the cluster does not answer.
        """
        told = self._runs.told()
        with self._answers.database.reading() as session:
            stopped = {job.name for job in queries.jobs(session, state="stopped")}
        return [
            run.model_copy(update={"state": "stopped"}) if run.state == "failed" and run.name in stopped else run
            for run in told
        ]

    async def create(self, name: str, text: str) -> tuple[schema.Started, bool]:
        """Start the job of a file, if it is new; returns what was done, and whether it was new.

        Raises:
            SpecError: If the file says what no job can be.
            RefusedError: If it names code or files that the server does not take.
            JobError: If another job has the name.
            BusyError: If no more jobs may run here.
        """
        done = await run_in_threadpool(self._create, name, text)
        await self._watch.look()
        return done

    async def stop(self, name: str) -> schema.Started:
        """Ask whoever runs a job to stop."""
        state = await run_in_threadpool(self._stop, name)
        await self._watch.look()
        return schema.Started(name=name, state=state, detail="was told to stop" if state == "stopping" else "stopped")

    async def resume(self, name: str) -> schema.Started:
        """Go on with a job.

        Raises:
            JobError: If it runs, or is finished.
            RefusedError, BusyError: As :meth:`create`.
        """
        detail = await run_in_threadpool(self._resume, name)
        await self._watch.look()
        return schema.Started(name=name, state="starting", detail=detail)

    def _create(self, name: str, text: str) -> tuple[schema.Started, bool]:
        spec = read_job(text, name, self.folder)
        check_allowed(spec, self._control)
        with self._creating:
            there = self._there(name)
            if there is None:
                return schema.Started(name=name, state="starting", detail=self._runs.start(spec)), True
        stored, state = there
        if stored != spec.canonical():
            raise JobError(f"job {name!r} exists with another configuration; choose another name")
        return schema.Started(name=name, state=state, detail="this job is there already"), False

    def _there(self, name: str) -> tuple[dict[str, Any], str] | None:
        """The configuration and state of the job of a name, stored or about to be; None where there is none."""
        with self._answers.database.reading() as session:
            try:
                job = queries.job(session, name)
                return dict(job.spec), job.state
            except UnknownJobError:
                starting = self._runs.starting(name)
        return None if starting is None else (starting.canonical(), "starting")

    def _stop(self, name: str) -> str:
        with self._answers.database.writing() as session:
            return leases.request_stop(session, name)

    def _resume(self, name: str) -> str:
        with self._answers.database.reading() as session:
            job = queries.job(session, name)
        if job.live:
            raise JobError(f"job {name!r} runs already")
        if job.state == "finished":
            raise JobError(f"job {name!r} is finished")
        check_allowed(stored_job(name, job.spec), self._control)
        return self._runs.resume(name)


def steering(steer: Steering) -> APIRouter:
    """The routes that steer jobs."""
    router = APIRouter(tags=["steering"])

    @router.put(
        "/jobs/{name}",
        summary="Create a job",
        status_code=201,
        responses=documented(409, 413, 422, 429) | {200: {"model": schema.Started, "description": "It was there"}},
        openapi_extra=BODY,
    )
    async def create(name: Name, request: Request, response: Response) -> schema.Started:
        """Check a job file and start its job: 201; 200 where this very job is there; 409 where another one is.

        The job's images and network are checked as it starts; `GET /runs` tells what became of that.
        """
        started, new = await steer.create(name, _text(await request.body()))
        response.status_code = 201 if new else 200
        response.headers["Location"] = request.scope["root_path"] + address("jobs", name)
        return started

    @router.post("/jobs/{name}/stop", summary="Stop a job", status_code=202, responses=documented(404, 409, 422))
    async def stop(name: Name) -> schema.Started:
        """Ask whoever runs the job to stop; what is known is committed first."""
        return await steer.stop(name)

    @router.post(
        "/jobs/{name}/resume", summary="Go on with a job", status_code=202, responses=documented(404, 409, 422, 429)
    )
    async def resume(name: Name) -> schema.Started:
        """Go on with a job that was stopped, failed or whose process died."""
        return await steer.resume(name)

    @router.get("/runs", summary="What was started", responses=documented())
    def told() -> schema.Runs:
        """What became of the jobs that this server started."""
        return schema.Runs(runs=steer.told())

    return router


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError("the job file is not text in UTF-8") from error


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
