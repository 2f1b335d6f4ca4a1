"""The whole API keeps to its own description: no server error, no status that it does not name."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from storage.engine import Database
from tests.fuzz.fuzzing import FACTOR
from tests.tuner.fakes import make_spec
from tests.tuner.service.serving import add, serving
from tests.tuner.service.test_steering import FakeRuns
from tuner.service.options import DIGITS, Control, Options

ENDLESS = "/changes"
"""The one answer that does not end."""


@pytest.mark.slow
def test_answers_are_as_they_are_described(tmp_path: Path) -> None:
    import schemathesis  # takes seconds

    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.checks.status_code_conformance,
        schemathesis.checks.content_type_conformance,
        schemathesis.checks.response_schema_conformance,
    ]
    storage = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(storage, create=True) as database:
        add(database, make_spec(name="resnet18", architecture="own:network"))  # the name that the examples ask for
    options = Options(storage, control=Control((tmp_path,), frozenset({DIGITS})))
    with serving(options, FakeRuns()) as url:
        api = schemathesis.openapi.from_url(f"{url}/openapi.json")
        asked = 0
        for operation in (found.ok() for found in api.exclude(path=ENDLESS).get_all_operations()):

            @settings(
                max_examples=15 * max(FACTOR, 1),
                derandomize=not FACTOR,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def ask(case: Any) -> None:
                case.call_and_validate(base_url=url, checks=checks)

            ask()
            asked += 1
    assert asked > 15
