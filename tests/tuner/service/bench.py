"""What the service costs: `python -m tests.tuner.service.bench (conditional | loss | pages | one)...`.

Everything runs on this machine, over its loopback, and is bounded in number and time. ``pages`` and ``one`` build 10
million pulls first, which takes minutes and a gigabyte.
"""

import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

from storage.engine import Database
from tests.storage import bench
from tests.tuner.fakes import make_dataset, make_spec
from tests.tuner.service.serving import fill
from tracer import Settings
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.pool import SerialPool

CONNECTIONS = 8
REQUESTS = 4_000
PAGES = 5
"""Live pages that are open beside a job."""
ROUNDS = 3
LOOKERS = Path(__file__).with_name("lookers.py")


@contextmanager
def server(storage: str) -> Iterator[str]:
    """A server in a process of its own; its address."""
    command = [sys.executable, "-m", "tuner", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env={**os.environ, "TUNER_STORAGE": storage}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            address = next(line.split()[4] for line in process.stderr if "running on" in line)
            yield address
        finally:
            process.terminate()


async def _conditional(url: httpx.URL, tag: str, path: str) -> float:
    """Answers a second to requests for what the asker has already, each after the one before on its connection."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: {tag}\r\n\r\n".encode()

    async def ask(times: int) -> None:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        for _ in range(times):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 304"), head
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(ask(REQUESTS // CONNECTIONS) for _ in range(CONNECTIONS)))
    return REQUESTS / (time.perf_counter() - begin)


def conditional_lines(folder: Path) -> Iterator[str]:
    """Conditional requests a second against an idle database."""
    storage = f"sqlite:///{folder}/idle.db"
    fill(storage)
    with server(storage) as url:
        for path in ("/jobs", "/jobs/race/arms", "/view/race"):
            tag = httpx.get(url + path).headers["ETag"]
            rates = [asyncio.run(_conditional(httpx.URL(url), tag, path)) for _ in range(3)]
            yield f"conditional: {max(rates):,.0f} a second of {path} ({', '.join(f'{rate:,.0f}' for rate in rates)})"


class KnownScores:
    """Scores at hand, so that a job runs as fast as the database takes its pulls."""

    def __init__(self, images: int, arms: int) -> None:
        self._ious = np.random.default_rng(0).random((images, arms))

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        """The image's row."""
        return self._ious[image, : len(settings)]


def _job_rate(database: Database, name: str, images: int) -> bench.Rate:
    spec = make_spec(
        name=name,
        arms={setting: list(bench.ELEVEN) for setting in ("cur", "suc", "pre")},
        dataset={"kind": "digits", "images": images},
        policy={"kind": "ucb1", "budget": 11 * images},
    )
    plan = make_plan(spec, make_dataset(images))
    create(database, plan)
    begin, waited = time.perf_counter(), bench.queued()
    play(database, plan, lambda: SerialPool(KnownScores(images, 33)))
    wall = time.perf_counter() - begin
    pulls = 33 * images
    return bench.Rate(pulls / wall, pulls / (wall - (bench.queued() - waited)))


def loss_lines(folder: Path) -> Iterator[str]:
    """What five live pages cost a job that runs as fast as the database takes its pulls."""
    storage = f"sqlite:///{folder}/loss.db"
    alone, watched = [], []
    with Database.open(storage, create=True) as database, server(storage) as url:
        _job_rate(database, "warm", 100)
        for i in range(ROUNDS):
            alone.append(_job_rate(database, f"alone-{i}", 2000))
            command = [sys.executable, str(LOOKERS), url, f"watched-{i}", str(PAGES)]
            with subprocess.Popen(command) as lookers:
                while f"tuner_streams {PAGES}.0" not in httpx.get(f"{url}/metrics").text:
                    time.sleep(0.1)
                watched.append(_job_rate(database, f"watched-{i}", 2000))
                lookers.terminate()
    for kind in ("wall", "served"):
        rates = [statistics.median(getattr(rate, kind) for rate in each) for each in (alone, watched)]
        told = f"{rates[0]:,.0f} pulls a second alone, {rates[1]:,.0f} beside {PAGES} live pages"
        yield f"loss ({kind}): {told}: {rates[1] / rates[0]:.2f}"


def pages_lines(folder: Path) -> Iterator[str]:
    """How long each page and answer takes at 10 million pulls of a hundred jobs, the first time and again."""
    path = _database(folder)
    if not path.exists():
        bench.fill(path, 100, 100_000)
    yield from _page_lines(path, ("job-1", "job-2"), ("job-5", "job-6"))


def one_lines(folder: Path) -> Iterator[str]:
    """How long each takes for one job of 10 million pulls, on 303,031 images."""
    path = _database(folder)
    if not path.exists():
        bench.fill(path, 1, 10_000_000)
        bench.fill(path, 2, 1000, first=2)
    yield from _page_lines(path, ("job-2", "job-3"), ("job-1", "job-2"))


def _database(folder: Path) -> Path:
    """The database to ask: one that was kept from another run, where the environment names it."""
    return Path(os.environ.get("BENCH_DATABASE", folder / "large.db"))


def _page_lines(path: Path, before: tuple[str, str], asked: tuple[str, str]) -> Iterator[str]:
    """The times of every page about two jobs, after others were asked about, so that the server has its templates."""
    spec = make_spec(
        name="x",
        arms={setting: list(bench.ELEVEN) for setting in ("cur", "suc", "pre")},
        dataset={"kind": "digits", "images": 3031},
        policy={"kind": "ucb1", "budget": 34_000},
    )
    with sqlite3.connect(path) as database:
        database.execute("UPDATE job SET spec = ?, held_out = 0", (json.dumps(spec.canonical(), sort_keys=True),))
    with server(f"sqlite:///{path}") as url, httpx.Client(base_url=url, timeout=60) as client:
        for page in ASKED:
            client.get(page.format(*before)).raise_for_status()
        for page in ASKED:
            times = []
            for _ in range(5):
                begin = time.perf_counter()
                client.get(page.format(*asked)).raise_for_status()
                times.append(1000 * (time.perf_counter() - begin))
            yield f"pages: {times[0]:6.0f} ms at first, {statistics.median(times[1:]):5.0f} ms again: {page}"


ASKED = (
    "/",
    "/view/{0}",
    "/view/{0}/pulls",
    "/view/{0}/images",
    "/view/{0}/images/17",
    "/view/{0}/events",
    "/comparison?first={0}&second={1}",
    "/jobs?limit=25",
    "/jobs/{0}/arms",
    "/jobs/{0}/race?setting=pre",
    "/jobs/{0}/pulls?limit=1000",
    "/jobs/{0}/pulls?before=1-500.2-500.3-500",
    "/jobs/{0}/images?limit=1000",
    "/metrics",
)
"""The pages and answers that are timed."""

TOPICS = {"conditional": conditional_lines, "loss": loss_lines, "pages": pages_lines, "one": one_lines}


def main(topics: Sequence[str]) -> None:
    """Print the figures of the topics asked for, or of all."""
    for topic in topics or TOPICS:
        with tempfile.TemporaryDirectory() as folder:
            for line in TOPICS[topic](Path(folder)):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
