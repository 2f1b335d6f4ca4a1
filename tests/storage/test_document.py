"""What docs/database.md says: its tables are the schema, and SQL and Python answer its questions alike."""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage import errors, leases, queries
from storage.engine import Database
from storage.models import Base
from storage.records import conclude, fail_image, record, record_checks
from tests.storage.jobs import new_job, run

DOCUMENT = (Path(__file__).parents[2] / "docs" / "database.md").read_text()
QUESTIONS = re.findall(
    r"^### (\d+\. .+?)$.*?```sql\n(.+?)```\n.*?```python\n(.+?)```", DOCUMENT, re.MULTILINE | re.DOTALL
)


@pytest.fixture
def digits(database: Database) -> Database:
    """A job called digits that ran, and another one beside it."""
    other = run(database, new_job("other"))
    with database.writing() as session:
        record(session, other.lease, [other.score(0, 0, 1.0)], [other.pull(1, 0, 0, 1.0)])
    job = run(database, new_job("digits", images=11, held_out=3))
    scores = [
        job.score(arm, image, (arm * 7 + image * 3) % 10 / 10 if image != 5 else 0.3)
        for image in range(7)
        for arm in (0, 1, 2, 6, 7, 8)
    ]
    known = {(score.arm, score.image): score.value for score in scores}
    pulls = [
        job.pull(i + 1, first + i % 3, i // 3, known[job.arms[first + i % 3].id, job.images[i // 3].id])
        for first in (0, 6)
        for i in range(14)
    ]
    with database.writing() as session:
        record(session, job.lease, scores, pulls)
        fail_image(session, job.lease, job.images[7].id, "cannot be decoded", failures=3, quarantine=True)
        for first, winner in ((0, 1), (6, 2)):
            bandit, arms = job.arms[first].bandit_id, [job.arms[first + 1].id, job.arms[first + 2].id]
            conclude(session, job.lease, bandit, "epsilon", may_be_best=arms, winner=winner, confidence=0.95)
        checks = [row for i in range(3) for row in job.check(8 + i, 0.25 * i, 0.2 + 0.3 * i, 0.4)]
        record_checks(session, job.lease, checks)
        leases.finish(session, job.lease, "finished", "epsilon")
    return database


def rows(answer: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The answer with floats cut to 6 digits, for comparison."""
    return [
        tuple(round(float(value), 6) if isinstance(value, (float, Decimal)) else value for value in row)
        for row in answer
    ]


def test_there_are_eleven_questions() -> None:
    assert [title.partition(".")[0] for title, _, _ in QUESTIONS] == [str(i) for i in range(1, 12)]


@pytest.mark.parametrize(("sql", "python"), [question[1:] for question in QUESTIONS], ids=[q[0] for q in QUESTIONS])
def test_sql_and_python_give_the_same_answer(digits: Database, sql: str, python: str) -> None:
    with digits.reading() as session:
        by_sql = session.execute(text(sql)).all()
    names: dict[str, Any] = {"database": digits, "queries": queries}
    exec(python, names)
    assert rows(by_sql) == rows(names["answer"])
    assert any(any(value is not None for value in row) for row in by_sql)


def test_its_tables_are_the_schema() -> None:
    tables = DOCUMENT.partition("## Tables")[2].partition("## Ten questions")[0]
    described = {
        name: [
            column
            for line in re.findall(r"^\| (`.+?) \|", body, re.MULTILINE)
            for column in re.findall(r"`(\w+)`", line)
        ]
        for name, body in re.findall(r"^### (\w+)$(.+?)(?=^###|\Z)", tables, re.MULTILINE | re.DOTALL)
    }
    assert {name: set(columns) for name, columns in described.items()} == {
        table.name: {column.name for column in table.columns} for table in Base.metadata.sorted_tables
    }


def test_its_errors_exist() -> None:
    named = set(re.findall(r"`(\w+Error)`", DOCUMENT))
    assert named
    assert all(issubclass(getattr(errors, name), errors.StorageError) for name in named)
