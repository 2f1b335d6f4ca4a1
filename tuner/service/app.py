"""The application: what is asked goes through the guard and the poller's ETags to the routes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from tuner.service.answers import Answers
from tuner.service.conditional import Conditional
from tuner.service.guard import Guard, Session
from tuner.service.live import live
from tuner.service.looking import Looking, looking
from tuner.service.metrics import Measured, Metrics
from tuner.service.options import Options
from tuner.service.pages import Pages, Templates, pages, signing, steering_pages
from tuner.service.problems import Problem, add_handlers
from tuner.service.reading import reading
from tuner.service.runs import Runs, make_runs
from tuner.service.steering import Steering, steering
from tuner.service.tracing import Tracing
from tuner.service.watch import Watch

THREADS = 8
"""Questions that are answered at a time; SQLite and Python's lock leave more of them nothing to gain."""

SUMMARY = "Tuning jobs of the bandit tracer: watch them, ask about them, take what they learned."


def make_app(options: Options, watch: Watch | None = None, runs: Runs | None = None) -> FastAPI:
    """The application of a server.

    Args:
        options: How the server is set up.
        watch: The poller, where the caller has one: it ends the streams by :meth:`Watch.close`.
        runs: Where jobs run, where not as the options say.
    """
    watch = watch or Watch(options.storage, options.interval)
    answers = Answers(options.storage, watch)
    metrics = Metrics(answers, watch)
    tracing = Tracing(options.factories)
    look = Looking(answers, tracing)
    templates = Templates(options, watch)
    session = None if options.token is None else Session(options.token)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = THREADS
        await watch.look()
        poller = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            poller.cancel()
            await watch.close()
            with contextlib.suppress(asyncio.CancelledError):
                await poller
            tracing.close()
            watch.dispose()
            answers.close()

    app = Service(
        title="Bandit tracer",
        version="1",
        summary=SUMMARY,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Measured, metrics=metrics),
            Middleware(Guard, options=options, session=session),
            Middleware(Conditional, watch=watch),
        ],
    )
    add_handlers(app, templates.problem)
    app.include_router(reading(answers))
    app.include_router(live(watch, metrics))
    app.include_router(looking(look))
    steer = None
    if options.control is not None:
        steer = Steering(answers, watch, options.control, runs or make_runs(options.storage, options.control))
        app.include_router(steering(steer))
        app.include_router(steering_pages(steer, templates, options.root_path))
    app.include_router(pages(Pages(answers, look, templates, steer)))
    if session is not None:
        app.include_router(signing(session, templates, options.root_path))
    return app


class Service(FastAPI):
    """FastAPI, whose description in OpenAPI names what it does not find by itself: problem details, and the token."""

    def openapi(self) -> dict[str, Any]:
        """The description, made at first use."""
        known = self.openapi_schema is not None
        document = super().openapi()
        if not known:
            document["components"]["schemas"]["Problem"] = Problem.model_json_schema()
            document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}, {}]
        return document
