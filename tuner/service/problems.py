"""What went wrong, as problem details (RFC 9457): every error of the API has this form."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from storage.errors import JobExistsError, JobStateError, StorageError, UnknownJobError
from tracer.errors import TracerError
from tracer.printable import one_line
from tuner.errors import (
    AttemptError,
    BusyError,
    ClusterError,
    JobError,
    MissingError,
    RefusedError,
    SpecError,
    TunerError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Problem details for HTTP APIs (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no job 'resnet'; did you mean…"}
            ]
        }
    )

    type: str = Field("about:blank", description="The kind of problem; about:blank says no more than the status.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong, and the mend.")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that says what went wrong."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)  # type: ignore[call-arg]
    return JSONResponse(content.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, as OpenAPI describes them; those of every route come by themselves."""
    every = {400, 401, 403, 421, 503}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
        for status in sorted(every | set(statuses))
    }


_SCHEMA = {"$ref": "#/components/schemas/Problem"}

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownJobError, 404),
    (JobExistsError, 409),
    (JobStateError, 409),
    (StorageError, 503),
    (SpecError, 422),
    (AttemptError, 409),
    (ClusterError, 503),
    (MissingError, 404),
    (RefusedError, 403),
    (BusyError, 429),
    (JobError, 409),
    (TunerError, 422),
    (TracerError, 422),
)
"""The status of each error of the project; the first kind that fits."""


def status_of(error: Exception) -> tuple[int, str]:
    """The status that an error stands for and what is told of it.

    What the database says may hold its address, so it goes to the server's log alone.
    """
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, RequestValidationError):
        return 422, "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if status == 503 and isinstance(error, StorageError):
        logger.warning("%s", one_line(error))
        return 503, "the database does not answer; the server's log says why"
    if status == 500:
        return 500, "an error of the server; its log says more"
    return status, one_line(error)


def add_handlers(app: FastAPI, page: Callable[[int, str, str], Response]) -> None:
    """Turn every error into problem details, or into a page where a browser asks for one.

    Args:
        app: The application.
        page: Makes the page of a status, its title and what is wrong.
    """

    async def handle(request: Request, error: Exception) -> Response:
        status, detail = status_of(error)
        if "text/html" in request.headers.get("accept", ""):
            return page(status, HTTPStatus(status).phrase, detail)
        headers = dict(getattr(error, "headers", None) or {})
        return problem(status, detail, headers | ({"Retry-After": "2"} if status == 503 else {}))

    for kind in (HTTPException, RequestValidationError, StorageError, TunerError, TracerError, Exception):
        app.add_exception_handler(kind, handle)
