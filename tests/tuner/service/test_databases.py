"""Every page and answer that reads is the same whether the jobs are in SQLite or in PostgreSQL."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from storage import leases
from storage.engine import Database
from tests.storage.postgres import Server, binaries
from tests.tuner.service.serving import asking, fill
from tests.tuner.service.test_live import revisions
from tuner.service.options import Options

ASKED = (
    "/",
    "/?state=finished",
    "/view/race",
    "/view/race/pulls?setting=cur",  # over bandits they are merged by the time of their commit
    "/view/race/images",
    "/view/race/images/0",
    "/view/race/events",
    "/comparison?first=race&second=other",
    "/jobs?limit=2",
    "/jobs/race",
    "/jobs/race/arms?top=3",
    "/jobs/race/race?setting=pre",
    "/jobs/race/pulls?setting=cur&limit=1000",
    "/jobs/race/images?limit=1000",
    "/jobs/race/images/3",
    "/jobs/race/events",
    "/compare?first=race&second=other",
    "/jobs/race/weights",
    "/weights/fake",
    "/jobs/rac",
)
OWN = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+]00:00)?"  # when it was
    r'|name="revision" content="[^"]*"'
    r"|lease \w+"
)
"""What differs between two databases that were filled alike."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A PostgreSQL database; skips where its programs are missing."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here: install the package postgresql")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to the server's user
        server = Server(programs, Path(folder))
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE jobs")
        fill(server.url("jobs"))
        yield server.url("jobs")
        server.stop()


def test_a_server_on_postgresql_answers_as_one_on_sqlite(service: httpx.Client, postgres: str) -> None:
    with asking(Options(postgres)) as other:
        assert other.get("/readyz").status_code == 200
        for path in ASKED:
            answers = [client.get(path, headers={"Accept": "text/html, */*"}) for client in (service, other)]
            here, there = ((answer.status_code, OWN.sub("", answer.text)) for answer in answers)
            assert here == there, path
        pulls = other.get("/jobs/other/pulls?limit=7").json()
        following = other.get(pulls["next"]).json()["pulls"]
        assert len(following) == 7
        assert not {json.dumps(pull) for pull in pulls["pulls"]} & {json.dumps(pull) for pull in following}


def test_a_server_on_postgresql_tells_of_changes(postgres: str) -> None:
    with (
        asking(Options(postgres)) as service,
        Database.open(postgres) as database,
        service.stream("GET", "/changes?job=waiting") as stream,
    ):
        told = revisions(stream)
        first = next(told)
        tag = service.get("/jobs/waiting").headers["ETag"]
        assert service.get("/jobs/waiting", headers={"If-None-Match": tag}).status_code == 304
        with database.writing() as session:
            leases.request_stop(session, "waiting")
        assert next(told) != first
        assert service.get("/jobs/waiting", headers={"If-None-Match": tag}).json()["state"] == "stopped"


@pytest.mark.parametrize(
    "path",
    [
        *("/jobs/%00", "/jobs/a%00b/arms", "/jobs/race/arms?setting=%00", "/jobs/race/pulls?setting=%00"),
        *("/weights/%00", "/compare?first=%00&second=race", "/view/%00", "/view/race/pulls?setting=%00"),
        "/comparison?first=race&second=%00",
    ],
)
def test_what_no_database_can_hold_is_the_askers_mistake(service: httpx.Client, postgres: str, path: str) -> None:
    """PostgreSQL refuses a NUL in a text, which is no sign that it does not answer."""
    with asking(Options(postgres)) as other:
        assert (service.get(path).status_code, other.get(path).status_code) == (422, 422)
