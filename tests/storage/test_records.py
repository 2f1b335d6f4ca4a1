"""What the controller writes: once, counted, and never against what is stored."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from storage import leases, queries
from storage.creation import NewBandit, add_round, canonical, create_job
from storage.engine import Database
from storage.errors import DatabaseError, IntegrityError, JobExistsError, StaleLeaseError
from storage.records import conclude, fail_image, log_event, record, record_checks
from tests.storage.jobs import VALUES, new_job, run


def test_a_new_job_has_its_images_and_arms_in_order(database: Database) -> None:
    with database.writing() as session:
        create_job(session, new_job(images=3))
    with database.reading() as session:
        job = queries.job(session, "job")
        images = queries.images(session, "job")
        arms = queries.arms(session, "job")
    assert (job.state, job.images, job.quarantined, job.pulls) == ("pending", 3, 0, 0)
    assert job.spec == {"policy": {"kind": "ucb1", "budget": 30}, "seed": 7}
    assert job.baseline == {"mean": 0.45, "mean_value": 0.41}
    assert [(image.rank, image.name) for image in images] == [(0, "image-0"), (1, "image-1"), (2, "image-2")]
    assert [arm.setting for arm in arms] == ["cur"] * 3 + ["suc"] * 3 + ["pre"] * 3
    assert [(arm.rank, arm.candidate) for arm in arms[3:6]] == list(enumerate(VALUES))


def test_a_taken_name_says_whether_the_configuration_is_the_same(database: Database) -> None:
    with database.writing() as session:
        create_job(session, new_job())
    with pytest.raises(JobExistsError, match="`tuner resume job`") as same, database.writing() as session:
        create_job(session, new_job(spec={"seed": 7, "policy": {"budget": 30, "kind": "ucb1"}}))
    assert same.value.same
    with (
        pytest.raises(JobExistsError, match=r"\(its seed differs\); choose another name") as other,
        database.writing() as session,
    ):
        create_job(session, new_job(spec={"seed": 8, "policy": {"budget": 30, "kind": "ucb1"}}))
    assert not other.value.same
    with database.reading() as session:
        assert len(queries.jobs(session)) == 1


def test_who_loses_a_race_for_a_name_is_told_that_it_is_taken(database: Database) -> None:
    def contend(seed: int) -> str:
        try:
            with database.writing() as session:
                create_job(session, new_job(spec={"seed": seed}, images=200))
        except JobExistsError as error:
            return str(error)
        return "created"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(contend, range(8)))
    assert said.count("created") == 1
    assert said.count("job 'job' exists with another configuration (its seed differs); choose another name") == 7


def test_new_jobs_are_checked_at_construction() -> None:
    with pytest.raises(ValueError, match="1 to 200 characters"):
        new_job("")
    with pytest.raises(ValueError, match="threshold 0"):
        new_job(threshold=0)
    with pytest.raises(ValueError, match="no images"):
        new_job(images=0)
    with pytest.raises(ValueError, match="no arms"):
        NewBandit("cur", {}, [])
    with pytest.raises(ValueError, match="1 to 40 characters"):
        NewBandit("s" * 41, {}, [1.0])
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"value": math.nan})


def test_pulls_are_counted_for_their_arms(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        recorded = record(
            session,
            running.lease,
            [running.score(0, 0, 0.5), running.score(0, 1, 0.499), running.score(1, 0, 1.0), running.score(2, 0, 0.1)],
            [running.pull(1, 0, 0, 0.5), running.pull(2, 1, 0, 1.0), running.pull(3, 0, 1, 0.499)],
        )
    assert recorded == (4, 3, False)
    with database.reading() as session:
        first, second, third = queries.arms(session, "job", setting="cur")
    assert (first.pulls, first.successes, first.mean, first.mean_value) == (2, 1, 0.5, 0.4995)
    assert (second.pulls, second.successes, second.mean, second.mean_value) == (1, 1, 1.0, 1.0)
    assert (third.pulls, third.successes, third.mean, third.mean_value) == (0, 0, None, None)


def test_writing_again_has_no_second_effect(database: Database) -> None:
    running = run(database)
    scores = [running.score(0, 0, 0.7), running.score(1, 0, 0.2)]
    pulls = [running.pull(1, 0, 0, 0.7), running.pull(2, 1, 0, 0.2)]
    with database.writing() as session:
        assert record(session, running.lease, scores[:1], pulls[:1])[:2] == (1, 1)
    for expected in ((1, 1), (0, 0), (0, 0)):
        with database.writing() as session:
            assert record(session, running.lease, scores, pulls)[:2] == expected
    with database.reading() as session:
        assert [arm.pulls for arm in queries.arms(session, "job", setting="cur")] == [1, 1, 0]
        assert not queries.verify(session, "job").problems


def test_a_batch_that_repeats_itself_counts_once(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        recorded = record(session, running.lease, [running.score(0, 0, 0.7)] * 2, [running.pull(1, 0, 0, 0.7)] * 2)
    assert recorded[:2] == (1, 1)
    with database.reading() as session:
        assert queries.arms(session, "job")[0].pulls == 1


def test_the_first_score_stays(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        record(session, running.lease, [running.score(0, 0, 0.7)])
    with database.writing() as session:
        assert record(session, running.lease, [running.score(0, 0, 0.8)]).scores == 0
    with database.reading() as session:
        assert queries.scores(session, "job").values[0, 0] == 0.7


def test_a_pull_that_contradicts_a_stored_one_is_refused(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        record(session, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
    with pytest.raises(IntegrityError, match="pull 1 of bandit"), database.writing() as session:
        record(session, running.lease, [running.score(1, 0, 0.7)], [running.pull(1, 1, 0, 0.7)])
    with database.reading() as session:
        assert np.isnan(queries.scores(session, "job").values[0, 1])


def test_no_arm_is_pulled_twice_on_an_image(database: Database) -> None:
    running = run(database)
    with pytest.raises(IntegrityError), database.writing() as session:
        record(
            session, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7), running.pull(2, 0, 0, 0.7)]
        )
    with database.reading() as session:
        assert queries.pulls(session, "job") == []


def test_a_pull_needs_its_score(database: Database) -> None:
    running = run(database)
    with pytest.raises(IntegrityError), database.writing() as session:
        record(session, running.lease, [], [running.pull(1, 0, 0, 0.7)])


@pytest.mark.parametrize("iou", [-0.01, 1.01, math.nan])
def test_an_iou_lies_between_0_and_1(database: Database, iou: float) -> None:
    running = run(database)
    with pytest.raises(IntegrityError), database.writing() as session:
        record(session, running.lease, [running.score(0, 0, iou)])


def test_nothing_to_record_is_fine(database: Database) -> None:
    running = run(database)
    with database.writing() as session:
        assert record(session, running.lease) == (0, 0, False)


def test_value_sums_do_not_depend_on_how_pulls_are_cut_into_commits(database: Database) -> None:
    ious = np.random.default_rng(0).random(60).tolist()
    sums = []
    for number, batch in enumerate((1, 7, 60)):
        running = run(database, new_job(f"job-{number}", images=60))
        for start in range(0, 60, batch):
            part = range(start, min(start + batch, 60))
            with database.writing() as session:
                record(
                    session,
                    running.lease,
                    [running.score(0, i, ious[i]) for i in part],
                    [running.pull(i + 1, 0, i, ious[i]) for i in part],
                )
        with database.reading() as session:
            sums.append(queries.arms(session, f"job-{number}")[0].value_sum)
    assert sums[0] == sums[1] == sums[2] == pytest.approx(sum(ious), abs=60 * 2.0**-28)


def test_failures_are_stored_as_they_are_counted_and_written_twice_they_count_once(database: Database) -> None:
    running = run(database)
    image = running.images[1].id
    for failures in (1, 2, 2):
        with database.writing() as session:
            fail_image(session, running.lease, image, "no answer", failures=failures)
    with database.reading() as session:
        assert queries.images(session, "job", quarantined=True) == []
        assert (queries.images(session, "job")[1].failures, queries.images(session, "job")[1].error) == (2, "no answer")


def test_an_image_is_left_out_once_and_stays_so(database: Database) -> None:
    running = run(database)
    image = running.images[1].id
    for quarantine in (True, True, False):
        with database.writing() as session:
            fail_image(session, running.lease, image, "cannot be decoded", failures=3, quarantine=quarantine)
    with database.reading() as session:
        assert queries.job(session, "job").quarantined == 1
        (out,) = queries.images(session, "job", quarantined=True)
        (event,) = queries.events(session, "job")
        assert len(queries.images(session, "job", quarantined=False)) == 3
        assert not queries.verify(session, "job").problems
    assert (out.id, out.failures, out.error) == (image, 3, "cannot be decoded")
    assert event.kind == "quarantine"
    assert event.message == "image image-1 is left out for every arm after 3 failures: cannot be decoded"


def test_an_image_of_another_job_cannot_fail(database: Database) -> None:
    other = run(database, new_job("other"))
    running = run(database)
    with pytest.raises(IntegrityError, match="none of this job's"), database.writing() as session:
        fail_image(session, running.lease, other.images[0].id, "broken", failures=1)


def test_a_further_round_is_added_once(database: Database) -> None:
    running = run(database)
    bandits = [NewBandit("cur", {"suc": 1.0, "pre": 0.1}, [0.5])]
    for _ in range(2):
        with database.writing() as session:
            add_round(session, running.lease, 2, bandits)
    with database.reading() as session:
        (arm,) = queries.arms(session, "job", round=2)
        assert len(queries.arms(session, "job", round=1)) == 9
        assert [(row.round, row.setting) for row in queries.bandits(session, "job")] == [
            (1, "cur"), (1, "suc"), (1, "pre"), (2, "cur")
        ]  # fmt: skip
        assert queries.bandits(session, "job")[-1].base == {"suc": 1.0, "pre": 0.1}
    assert (arm.setting, arm.candidate) == ("cur", 0.5)


def test_how_a_bandit_came_out_is_stored(database: Database) -> None:
    running = run(database)
    chosen = [running.arms[1].id, running.arms[2].id]
    with database.writing() as session:
        conclude(
            session,
            running.lease,
            running.arms[0].bandit_id,
            "epsilon",
            may_be_best=chosen,
            winner=2,
            confidence=0.95,
        )
    with database.reading() as session:
        cur, suc, _ = queries.bandits(session, "job")
        marks = [arm.may_be_best for arm in queries.arms(session, "job")]
    assert (cur.outcome, cur.winner, cur.confidence, cur.may_be_best) == ("epsilon", 1.0, 0.95, (0.5, 1.0))
    assert (suc.outcome, suc.winner, suc.confidence, suc.may_be_best) == (None, None, None, ())
    assert marks == [False, True, True, *[None] * 6]


def test_events_are_kept_in_order(database: Database) -> None:
    running = run(database)
    for message in ("one", "two"):
        with database.writing() as session:
            log_event(session, running.lease, "worker", message)
    with database.reading() as session:
        events = queries.events(session, "job")
    assert [event.message for event in events] == ["one", "two"]


@pytest.mark.parametrize(("words", "stored"), [("a\0b", "a\\x00b"), ("caf\udce9.png", "caf\\udce9.png")])
def test_a_message_is_kept_whatever_it_quotes(database: Database, words: str, stored: str) -> None:
    running = run(database)
    database.attempt(lambda session: log_event(session, running.lease, "failure", words), seconds=0.0)
    image = running.images[0].id
    database.attempt(lambda session: fail_image(session, running.lease, image, words, failures=1), seconds=0.0)
    with database.reading() as session:
        assert [event.message for event in queries.events(session, "job")] == [stored]
        assert queries.images(session, "job")[0].error == stored


def test_text_that_no_database_stores_is_one_line(database: Database) -> None:
    with pytest.raises(DatabaseError, match="is not Unicode text"), database.writing() as session:
        create_job(session, new_job("caf\udce9"))


def test_concurrent_commits_of_one_lease_lose_nothing(database: Database) -> None:
    running = run(database, new_job(images=100))

    def commit(i: int) -> None:
        with database.writing() as session:
            record(session, running.lease, [running.score(0, i, 0.75)], [running.pull(i + 1, 0, i, 0.75)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(commit, range(100)))
    with database.reading() as session:
        assert queries.arms(session, "job")[0].pulls == 100
        assert not queries.verify(session, "job").problems


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    running = run(database)

    def half_way() -> None:
        with database.writing() as session:
            record(session, running.lease, [running.score(0, 0, 0.7)], [running.pull(1, 0, 0, 0.7)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_way()
    with database.reading() as session:
        assert queries.pulls(session, "job") == []
        assert queries.arms(session, "job")[0].pulls == 0


def test_a_check_is_written_once_and_by_the_lease_alone(database: Database) -> None:
    running = run(database, new_job(held_out=2))
    rows = running.check(3, 0.25, 0.75, 0.5)
    with database.writing() as session:
        assert record_checks(session, running.lease, rows).scores == 3
    with database.writing() as session:
        assert record_checks(session, running.lease, running.check(3, 0.5, 0.5, 0.5)).scores == 0
    with database.reading() as session:
        job, matrix = queries.job(session, "job"), queries.checks(session, "job")
    assert (job.held_out, job.checked, job.tuned_on) == (2, 1, 2)
    assert matrix.subjects == ("base", "learned", "whole_image")
    assert [image.rank for image in matrix.images] == [2, 3]
    assert np.isnan(matrix.values[0]).all()
    assert matrix.values[1].tolist() == [0.25, 0.75, 0.5]
    with database.writing() as session:
        leases.acquire(session, "job", "another", evict=running.lease.epoch)
    with pytest.raises(StaleLeaseError), database.writing() as session:
        record_checks(session, running.lease, running.check(2, 0.5, 0.5, 0.5))


def test_a_job_holds_out_no_more_than_it_has() -> None:
    with pytest.raises(ValueError, match="leave the bandits at least one of 4 images"):
        new_job(held_out=4)
