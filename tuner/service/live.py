"""Routes that tell how things are now: the stream of changes, whether the server is well, and metrics."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import StreamingResponse

from tuner.service import schema
from tuner.service.metrics import Metrics
from tuner.service.problems import documented
from tuner.service.watch import STREAMS, Watch


def live(watch: Watch, metrics: Metrics) -> APIRouter:
    """Routes that tell how things are now."""
    router = APIRouter(tags=["live"])
    stream: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events"}
    }

    @router.get(
        "/changes", summary="Changes as they happen", response_class=Response, responses=documented(422) | stream
    )
    async def changes(
        job: Annotated[str | None, Query(max_length=200, description="Only of this job.")] = None,
    ) -> Response:
        """Server-sent events: `change` with the revision of the job (or of all jobs), now and as it changes."""
        if watch.streams >= STREAMS:
            raise HTTPException(503, f"{STREAMS} streams are open already; close a page")
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(watch, job), media_type="text/event-stream", headers=headers)

    @router.get("/healthz", summary="Whether the server runs")
    async def healthz() -> schema.Health:
        """Answers for as long as the server runs, without looking at the database."""
        return schema.Health(status="ok")

    @router.get("/readyz", summary="Whether the database answers", responses=documented())
    async def readyz() -> schema.Health:
        """Whether the server can answer questions about jobs."""
        if not watch.ready:
            raise HTTPException(503, "the database does not answer; the server's log says why")
        return schema.Health(status="ok")

    text: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format"}
    }

    @router.get("/metrics", summary="Metrics", response_class=Response, responses=documented() | text)
    def scrape() -> Response:
        """The server's own metrics and the progress of jobs, for Prometheus."""
        return Response(metrics.render(), media_type=metrics.MEDIA_TYPE)

    return router


async def _events(watch: Watch, job: str | None) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    async for revision in watch.stream(job):
        yield ": still here\n\n" if revision is None else f"event: change\ndata: {json.dumps(revision)}\n\n"
