"""A job's revision is another one after whatever changes an answer about the job, and the same otherwise."""

import inspect
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from storage import creation, leases, queries, records
from storage.creation import NewBandit
from storage.engine import Database
from storage.models import Job
from tests.storage.jobs import Running, new_job, run

Write = Callable[[Session, Running], object]

CHANGES: dict[str, Write] = {
    "record a score": lambda session, job: records.record(session, job.lease, [job.score(0, 1, 0.5)]),
    "record a pull": lambda session, job: records.record(session, job.lease, pulls=[job.pull(1, 0, 0, 0.7)]),
    "record_checks": lambda session, job: records.record_checks(session, job.lease, job.check(3, 0.0, 1.0, 0.5)),
    "fail_image": lambda session, job: records.fail_image(session, job.lease, job.images[0].id, "torn", failures=1),
    "fail_image for good": lambda session, job: records.fail_image(
        session, job.lease, job.images[0].id, "torn", failures=3, quarantine=True
    ),
    "conclude": lambda session, job: records.conclude(
        session, job.lease, job.arms[0].bandit_id, "decided", may_be_best=[job.arms[0].id], winner=0, confidence=0.9
    ),
    "log_event": lambda session, job: records.log_event(session, job.lease, "note", "something"),
    "add_round": lambda session, job: creation.add_round(session, job.lease, 2, [NewBandit("cut", {}, [0.3])]),
    "acquire": lambda session, job: leases.acquire(session, "job", "host:2", evict=job.lease.epoch),
    "finish": lambda session, job: leases.finish(session, job.lease, "finished", "decided"),
    "request_stop": lambda session, job: leases.request_stop(session, "job"),
}
"""Every way to change a job that is there, by the function that writes."""

REPEATS: dict[str, Write] = {
    "record nothing": lambda session, job: records.record(session, job.lease),
    "record a score again": lambda session, job: records.record(session, job.lease, [job.score(0, 0, 0.7)]),
    "acquire again": lambda session, job: leases.acquire(session, "job", job.lease.owner),
    "renew": lambda session, job: leases.renew(session, job.lease),
    "add_round again": lambda session, job: creation.add_round(session, job.lease, 1, [NewBandit("cur", {}, [0.3])]),
}


@pytest.fixture
def job(database: Database) -> Running:
    """A job with a score, beside another."""
    run(database, new_job("other"))
    running = run(database, new_job(held_out=1))
    with database.writing() as session:
        records.record(session, running.lease, [running.score(0, 0, 0.7)])
    return running


def revisions(database: Database) -> dict[str, str]:
    with database.reading() as session:
        return queries.revisions(session)


@pytest.mark.parametrize("change", CHANGES)
def test_every_write_changes_the_revision_of_its_job_and_of_no_other(
    database: Database, job: Running, change: str
) -> None:
    known = revisions(database)
    assert revisions(database) == known
    with database.writing() as session:
        CHANGES[change](session, job)
    after = revisions(database)
    assert after["job"] != known["job"]
    assert after["other"] == known["other"]
    assert revisions(database) == after


def test_no_function_that_writes_is_forgotten() -> None:
    written = {
        name
        for module in (records, creation, leases)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and "session" in str(function.__code__.co_varnames)
    }
    tried = {write.partition(" ")[0] for write in CHANGES}
    assert written == tried | {"fence", "renew", "create_job"}


@pytest.mark.parametrize("repeat", REPEATS)
def test_what_changes_nothing_leaves_the_revision(database: Database, job: Running, repeat: str) -> None:
    known = revisions(database)
    with database.writing() as session:
        REPEATS[repeat](session, job)
    assert revisions(database) == known


def test_a_write_that_is_undone_raises_nothing(database: Database, job: Running) -> None:
    known = revisions(database)

    def fail() -> None:
        with database.writing() as session:
            records.log_event(session, job.lease, "note", "something")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert revisions(database) == known


def test_a_lease_that_expires_changes_the_revision_though_nobody_writes(database: Database, job: Running) -> None:
    known = revisions(database)
    with database.writing() as session:
        session.execute(update(Job).where(Job.name == "job").values(lease_expires=Job.started))
    assert revisions(database)["job"] != known["job"]


def test_of_writers_at_once_each_raises_the_revision(database: Database, job: Running) -> None:
    def count() -> int:
        with database.reading() as session:
            return session.execute(select(Job.revision).where(Job.name == "job")).scalar_one()

    def note() -> None:
        for _ in range(10):
            database.attempt(lambda session: records.log_event(session, job.lease, "note", "something"))

    def stop() -> None:
        for _ in range(10):
            database.attempt(lambda session: leases.request_stop(session, "job"))

    before = count()
    threads = [threading.Thread(target=write) for write in (note, note, stop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count() == before + 30


def test_the_revisions_are_one_read_of_one_table(database: Database, job: Running) -> None:
    asked: list[str] = []
    with database.reading() as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *given: asked.append(given[2]))
        queries.revisions(session)
    (statement,) = asked
    assert statement.count("SELECT") == 1
    assert "JOIN" not in statement
