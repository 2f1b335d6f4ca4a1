"""A server in a thread of the test's process, on a free port of this machine, with jobs on made-up scores."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.service.app import make_app
from tuner.service.options import Options
from tuner.service.runs import Runs
from tuner.service.server import Server, make_config
from tuner.service.watch import Watch
from tuner.spec.job import JobSpec
from tuner.workers.pool import SerialPool

RACE = {"kind": "race", "budget": 2000}


def fill(url: str) -> None:
    """Two finished jobs, ``race`` with a check and ``other`` without, and ``waiting``, which was never run."""
    with Database.open(url, create=True) as database:
        images = {"kind": "digits", "images": 150}
        add(database, make_spec(name="race", policy=RACE, check=0.3, dataset=images), broken=(3,))
        add(database, make_spec(name="other"))
        create(database, make_plan(make_spec(name="waiting"), make_dataset(200)))


def add(database: Database, spec: JobSpec, broken: tuple[int, ...] = ()) -> None:
    """A job that is played to its end at once."""
    plan = make_plan(spec, make_dataset(200))
    create(database, plan)
    play(database, plan, lambda: SerialPool(FakeScorer(broken)))


@contextmanager
def serving(options: Options, runs: Runs | None = None) -> Iterator[str]:
    """A running server; the URL of its root."""
    watch = Watch(options.storage, options.interval)
    server = Server(make_config(make_app(options, watch, runs), options.host, 0), watch)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://127.0.0.1:{port}{options.root_path}"
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the server does not end"


@contextmanager
def asking(options: Options, runs: Runs | None = None) -> Iterator[httpx.Client]:
    """A client of a running server."""
    with serving(replace(options, interval=0.05), runs) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def wait(until: Callable[[], bool], tries: int = 500) -> None:
    """Wait until something holds, asking so often, a fiftieth of a second apart."""
    for _ in range(tries):
        if until():
            return
        time.sleep(0.02)
    raise TimeoutError
