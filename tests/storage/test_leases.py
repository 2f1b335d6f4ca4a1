"""One controller a job: leases, their epoch, and requests to stop."""

import dataclasses
import threading
import time
from datetime import timedelta

import pytest

from storage import leases, queries
from storage.creation import create_job
from storage.engine import Database
from storage.errors import JobStateError, LeaseHeldError, StaleLeaseError, UnknownJobError
from storage.records import fail_image, log_event, record
from tests.storage.jobs import new_job, run


def test_a_lease_makes_the_job_run(database: Database) -> None:
    with database.writing() as session:
        create_job(session, new_job())
    with database.reading() as session:
        before = queries.job(session, "job")
    assert (before.state, before.live, before.owner, before.started) == ("pending", False, None, None)
    with database.writing() as session:
        lease = leases.acquire(session, "job", "host:1")
    with database.reading() as session:
        after = queries.job(session, "job")
    assert (lease.epoch, after.state, after.live, after.owner) == (1, "running", True, "host:1")
    assert after.started is not None
    assert after.started.utcoffset() == timedelta(0)


def test_a_second_controller_is_refused(database: Database) -> None:
    run(database)
    with (
        pytest.raises(LeaseHeldError, match=r"run by host:1; stop it with `tuner stop job`") as refusal,
        database.writing() as session,
    ):
        leases.acquire(session, "job", "host:2")
    assert refusal.value.owner == "host:1"
    with database.reading() as session:
        assert queries.job(session, "job").owner == "host:1"


def test_of_many_controllers_at_once_one_gets_the_job(database: Database) -> None:
    with database.writing() as session:
        create_job(session, new_job())
    won, refused = [], []

    def contend(owner: str) -> None:
        try:
            with database.writing() as session:
                won.append(leases.acquire(session, "job", owner))
        except LeaseHeldError:
            refused.append(owner)

    threads = [threading.Thread(target=contend, args=(f"host:{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(refused) == 7


def test_an_expired_lease_is_taken_over_and_its_holder_fenced(database: Database) -> None:
    stale = run(database, seconds=0.05)
    time.sleep(0.1)
    with database.writing() as session:
        lease = leases.acquire(session, "job", "host:2")
    assert lease.epoch == 2
    for write in (
        lambda session: record(session, stale.lease, [stale.score(0, 0, 0.9)], [stale.pull(1, 0, 0, 0.9)]),
        lambda session: fail_image(session, stale.lease, stale.images[0].id, "broken", failures=1),
        lambda session: log_event(session, stale.lease, "note", "I am still here"),
        lambda session: leases.renew(session, stale.lease),
        lambda session: leases.finish(session, stale.lease, "finished", "decided"),
    ):
        with (
            pytest.raises(StaleLeaseError, match=r"now run by host:2 \(epoch 2, this process had 1\)"),
            database.writing() as session,
        ):
            write(session)
    with database.reading() as session:
        assert queries.pulls(session, "job") == []
        assert queries.job(session, "job").owner == "host:2"


def test_an_expired_lease_that_nobody_took_still_writes(database: Database) -> None:
    running = run(database, seconds=0.0)
    with database.writing() as session:
        assert record(session, running.lease, [running.score(0, 0, 0.9)]).scores == 1
        leases.renew(session, running.lease)


def test_a_renewed_lease_holds(database: Database) -> None:
    running = run(database, seconds=0.3)
    with database.writing() as session:
        assert leases.renew(session, dataclasses.replace(running.lease, seconds=30.0)) is False
    time.sleep(0.4)
    with pytest.raises(LeaseHeldError), database.writing() as session:
        leases.acquire(session, "job", "host:2")


def test_the_epoch_that_was_seen_to_be_dead_is_evicted_at_once(database: Database) -> None:
    stale = run(database)
    with pytest.raises(LeaseHeldError) as held, database.writing() as session:
        leases.acquire(session, "job", "host:2")
    with database.writing() as session:
        lease = leases.acquire(session, "job", "host:2", evict=held.value.epoch)
    with pytest.raises(StaleLeaseError), database.writing() as session:
        leases.renew(session, stale.lease)
    with database.writing() as session:
        leases.renew(session, lease)


def test_of_two_that_evict_a_dead_controller_the_second_leaves_the_first_alone(database: Database) -> None:
    dead = run(database)
    with database.writing() as session:
        first = leases.acquire(session, "job", "host:2", evict=dead.lease.epoch)
    with pytest.raises(LeaseHeldError, match="run by host:2"), database.writing() as session:
        leases.acquire(session, "job", "host:3", evict=dead.lease.epoch)
    with database.writing() as session:
        leases.renew(session, first)


def test_a_held_lease_says_how_long_it_lasts_by_the_databases_clock(database: Database) -> None:
    run(database, seconds=20.0)
    with pytest.raises(LeaseHeldError) as held, database.writing() as session:
        leases.acquire(session, "job", "host:2")
    assert 0 < held.value.seconds <= 20


def test_taking_a_lease_again_after_a_commit_that_arrived_gives_the_same(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        leases.request_stop(session, "job")
        again = leases.acquire(session, "job", running.lease.owner)
    assert again == running.lease
    with database.reading() as session:
        assert queries.job(session, "job").stop_requested, "what was asked since is not forgotten"


def test_giving_a_lease_back_again_after_a_commit_that_arrived_does_nothing(database: Database) -> None:
    running = run(database)
    for _ in range(2):
        with database.writing() as session:
            leases.finish(session, running.lease, "finished", "decided")
    with pytest.raises(StaleLeaseError), database.writing() as session:
        leases.finish(session, running.lease, "failed", "failed")


def test_finish_gives_the_lease_back(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        leases.finish(session, running.lease, "finished", "decided")
    with database.reading() as session:
        job = queries.job(session, "job")
    assert (job.state, job.outcome, job.owner, job.live) == ("finished", "decided", None, False)
    assert job.ended is not None
    with pytest.raises(StaleLeaseError, match="no longer run by anybody"), database.writing() as session:
        record(session, running.lease, [running.score(0, 0, 0.9)])
    with pytest.raises(JobStateError, match="is finished"), database.writing() as session:
        leases.acquire(session, "job", "host:2")


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_job_that_ended_early_is_acquired_again(database: Database, state: str) -> None:
    running = run(database)
    with database.writing() as session:
        leases.finish(session, running.lease, state, state)  # type: ignore[arg-type]
    with database.reading() as session:
        started = queries.job(session, "job").started
    with database.writing() as session:
        leases.acquire(session, "job", "host:2")
    with database.reading() as session:
        job = queries.job(session, "job")
    assert (job.state, job.outcome, job.ended, job.started) == ("running", None, None, started)


def test_a_request_to_stop_reaches_the_controller(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        assert leases.request_stop(session, "job") == "stopping"
    with database.reading() as session:
        assert queries.job(session, "job").stop_requested
    with database.writing() as session:
        assert record(session, running.lease, [running.score(0, 0, 0.9)]).stop_requested
        assert leases.renew(session, running.lease) is True
        leases.finish(session, running.lease, "stopped", "stopped")
    with database.writing() as session:
        lease = leases.acquire(session, "job", "host:2")
        assert leases.renew(session, lease) is False


def test_stopping_a_job_whose_controller_is_gone_stops_it_at_once(database: Database) -> None:
    stale = run(database, seconds=0.0)
    with database.writing() as session:
        assert leases.request_stop(session, "job") == "stopped"
    with pytest.raises(StaleLeaseError), database.writing() as session:
        leases.renew(session, stale.lease)
    with pytest.raises(JobStateError, match="is stopped"), database.writing() as session:
        leases.request_stop(session, "job")


def test_unknown_jobs_are_named(database: Database) -> None:
    for action in (lambda s: leases.acquire(s, "nobody", "host:1"), lambda s: leases.request_stop(s, "nobody")):
        with pytest.raises(UnknownJobError, match="'nobody'"), database.writing() as session:
            action(session)
