"""One contract for SQLite and PostgreSQL: every test that takes ``url`` or ``database`` runs on both."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from storage.engine import Database, upgrade
from tests.storage.postgres import Server, binaries

_NUMBERS = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server; skips where its programs are missing."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here: install the package postgresql")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to the server's user
        server = Server(programs, Path(folder))
        yield server
        server.stop()


def create(server: Server, template: str = "template0") -> str:
    """The URL of a new database on the server, a copy of the template."""
    name = f"test{next(_NUMBERS)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return server.url(name)


def drop(server: Server, url: str) -> None:
    """Delete a database, whoever is connected: all together, at the end, they are gigabytes."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)".encode())


@pytest.fixture
def postgres_url(server: Server) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    url = create(server)
    yield url
    drop(server, url)


@pytest.fixture(scope="session")
def postgres_template(server: Server) -> str:
    """The name of a PostgreSQL database with the newest schema, to be copied."""
    url = create(server)
    upgrade(url)
    return url.rpartition("/")[2]


@pytest.fixture
def new_postgres(server: Server, postgres_template: str) -> Iterator[Callable[[], str]]:
    """Makes a PostgreSQL database with the newest schema at each call; returns its URL."""
    made: list[str] = []

    def make() -> str:
        made.append(create(server, postgres_template))
        return made[-1]

    yield make
    for url in made:
        drop(server, url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite database of the test's own, not created yet."""
    return f"sqlite:///{tmp_path}/runs/tuner.db"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own, of either kind."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(fixture))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with the newest schema and no job, of either kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "tuner.db")
        url = f"sqlite:///{tmp_path}/tuner.db"
    else:
        url = request.getfixturevalue("new_postgres")()
    with Database.open(url, patience=5.0) as database:
        yield database
