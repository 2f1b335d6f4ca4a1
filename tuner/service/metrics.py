"""What Prometheus reads: requests by route, and jobs by state and progress."""

import time
from collections import Counter as Tally
from collections.abc import Iterator
from typing import ClassVar

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.errors import StorageError
from tuner.service.answers import Answers
from tuner.service.watch import Watch

SHOWN = 100
"""Jobs that have a series of their own: the newest."""


class Metrics:
    """The metrics of one server, in a registry of its own.

    Args:
        answers: Know the jobs.
        watch: Knows the streams.
    """

    MEDIA_TYPE: ClassVar[str] = CONTENT_TYPE_LATEST

    def __init__(self, answers: Answers, watch: Watch) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route")
        self.requests = Counter(
            "tuner_http_requests_total", "Requests answered.", (*labels, "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "tuner_http_request_seconds",
            "Seconds until an answer began.",
            labels,
            registry=self._registry,
            buckets=(0.001, 0.005, 0.02, 0.1, 0.2, 0.5, 1, 5, 30),
        )
        streams = Gauge("tuner_streams", "Streams of changes that are open.", registry=self._registry)
        streams.set_function(lambda: watch.streams)
        ready = Gauge("tuner_ready", "1 where the database answers.", registry=self._registry)
        ready.set_function(lambda: watch.ready)
        self._registry.register(_Jobs(answers))

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Jobs(Collector):
    """The jobs, as they are when Prometheus asks."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def collect(self) -> Iterator[Metric]:
        """Jobs by state, and the newest jobs' pulls."""
        states = GaugeMetricFamily("tuner_jobs", "Jobs among the newest, by state.", labels=["state"])
        pulls = GaugeMetricFamily("tuner_job_pulls", "Pulls that a job's bandits made.", labels=["job"])
        budget = GaugeMetricFamily("tuner_job_budget", "Pulls that a job's bandits may make.", labels=["job"])
        try:
            jobs = self._answers.jobs(None, None, SHOWN).jobs
        except StorageError:
            return
        for state, count in Tally(job.state for job in jobs).items():
            states.add_metric([state], count)
        for job in jobs:
            pulls.add_metric([job.name], job.pulls)
            budget.add_metric([job.name], job.budget)
        yield from (states, pulls, budget)


class Measured:
    """Counts requests and times them, by the route that answered.

    Args:
        app: What answers.
        metrics: Where they are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else "other"
                route = scope.get("route_name") or getattr(scope.get("route"), "path", "none")
                self._metrics.requests.labels(method, route, message["status"]).inc()
                self._metrics.seconds.labels(method, route).observe(time.perf_counter() - begin)
            await send(message)

        await self._app(scope, receive, send_measured)


_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}
