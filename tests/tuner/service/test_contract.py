"""The whole API keeps to its own description: no server error, no status that it does not name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

schemathesis = pytest.importorskip("schemathesis")

# ruff: noqa: E402 (they need what was looked for above)
from hypothesis import HealthCheck, settings

from storage.engine import Database
from tests.tuner.fakes import make_spec
from tests.tuner.service.serving import add, serving
from tests.tuner.service.test_steering import FakeRuns
from tuner.service.app import make_app
from tuner.service.options import DIGITS, Control, Options

FOLDER = Path("/nonexistent")

api = schemathesis.openapi.from_dict(
    make_app(Options("sqlite:///none.db", control=Control((FOLDER,), frozenset({DIGITS}))), runs=FakeRuns()).openapi()
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    storage = f"sqlite:///{tmp_path_factory.mktemp('contract')}/tuner.db"
    with Database.open(storage, create=True) as database:
        add(database, make_spec(name="resnet18"))
    with serving(Options(storage, control=Control((FOLDER,), frozenset({DIGITS}))), FakeRuns()) as url:
        yield url


@api.exclude(path="/changes").parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_they_are_described(case, url: str) -> None:  # type: ignore[no-untyped-def]
    case.call_and_validate(base_url=url, checks=CHECKS)


CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.openapi.checks.status_code_conformance,
    schemathesis.openapi.checks.content_type_conformance,
    schemathesis.openapi.checks.response_schema_conformance,
]
