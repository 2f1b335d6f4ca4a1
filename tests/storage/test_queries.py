"""One function a question, the same answers on both databases."""

import dataclasses

import numpy as np
import pytest
from sqlalchemy import text

from storage import leases, queries
from storage.creation import NewArm, NewWeight, add_round, create_job
from storage.engine import Database
from storage.errors import UnknownJobError
from storage.records import conclude, log_event, record
from storage.rows import Triple
from tests.storage.jobs import Running, new_job, run


@pytest.fixture
def job(database: Database) -> Running:
    """A job with 10 pulls of cur and 2 of pre, beside another job with pulls of its own."""
    other = run(database, new_job("other"))
    with database.writing() as session:
        record(session, other.lease, [other.score(0, 0, 1.0)], [other.pull(1, 0, 0, 1.0)])
    running = run(database)
    with database.writing() as session:
        scores = [running.score(arm, image, 0.1 * arm + 0.2 * image) for image in range(4) for arm in range(3)]
        chosen = [running.pull(i + 1, i % 3, i // 3, 0.1 * (i % 3) + 0.2 * (i // 3)) for i in range(10)]
        record(session, running.lease, scores, chosen)
        record(
            session,
            running.lease,
            [running.score(6, 0, 0.5), running.score(8, 0, 0.25)],
            [running.pull(1, 6, 0, 0.5), running.pull(2, 8, 0, 0.25)],
        )
    return running


def test_jobs_come_newest_first(database: Database, job: Running) -> None:
    with database.reading() as session:
        rows = queries.jobs(session)
        assert queries.jobs(session, state="finished") == []
    assert [(row.name, row.pulls, row.live) for row in rows] == [("job", 12, True), ("other", 1, True)]


def test_jobs_can_be_asked_for_by_state(database: Database, job: Running) -> None:
    with database.writing() as session:
        leases.finish(session, job.lease, "finished", "exhausted")
    with database.reading() as session:
        (row,) = queries.jobs(session, state="finished")
        assert row == queries.job(session, "job")
    assert (row.name, row.outcome) == ("job", "exhausted")


def test_a_database_without_jobs_answers_too(database: Database) -> None:
    with database.reading() as session:
        assert queries.jobs(session) == []


@pytest.mark.parametrize(
    "ask",
    [
        queries.job,
        queries.weights,
        queries.arms,
        queries.pulls,
        queries.scores,
        queries.images,
        queries.events,
        queries.verify,
    ],
)
def test_an_unknown_job_is_named_with_the_nearest(database: Database, ask: object) -> None:
    with database.writing() as session:
        create_job(session, new_job("resnet18-imagenet"))
    assert callable(ask)
    with database.reading() as session:
        with pytest.raises(UnknownJobError, match="no job 'resnet18-imagenett'; did you mean 'resnet18-imagenet'"):
            ask(session, "resnet18-imagenett")
        with pytest.raises(UnknownJobError, match="`tuner list` shows"):
            ask(session, "zzz")


def test_weights_add_up_their_arms(database: Database, job: Running) -> None:
    with database.reading() as session:
        rows = queries.weights(session, "job")
    assert [(row.weight, row.pulls, row.successes) for row in rows] == [("cur", 10, 3), ("suc", 0, 0), ("pre", 2, 1)]


def test_arms_can_be_asked_for_by_weight_and_round(database: Database, job: Running) -> None:
    with database.writing() as session:
        add_round(session, job.lease, 2, [NewWeight("pre", [NewArm(0.25, 1.0, 1.0, 0.25)])])
    with database.reading() as session:
        assert [arm.value for arm in queries.arms(session, "job", weight="pre")] == [0.0, 0.5, 1.0, 0.25]
        assert [arm.value for arm in queries.arms(session, "job", weight="pre", round=2)] == [0.25]
        assert queries.arms(session, "job", round=3) == []


def test_pulls_read_their_scores(database: Database, job: Running) -> None:
    with database.reading() as session:
        first, second, *_ = queries.pulls(session, "job")
        started = queries.job(session, "job").started
    assert (first.t, first.round, first.weight, first.value, first.image, first.image_rank) == (
        1,
        1,
        "cur",
        0.0,
        "image-0",
        0,
    )
    assert (first.iou, first.success) == (0.0, False)
    assert (second.value, second.iou) == (0.5, 0.1)
    assert started is not None
    assert first.at >= started


def test_pages_of_pulls_follow_one_another(database: Database, job: Running) -> None:
    with database.reading() as session:
        everything = queries.pulls(session, "job")
        pages, after = [], (0, 0)
        while page := queries.pulls(session, "job", after=after, limit=5):
            pages.append(page)
            after = (page[-1].weight_id, page[-1].t)
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [pull for page in pages for pull in page] == everything
        assert [pull.t for pull in queries.pulls(session, "job", weight="pre")] == [1, 2]
        assert queries.pulls(session, "job", round=2) == []


def test_the_score_matrix_is_images_by_arms_with_nan_for_unknown(database: Database, job: Running) -> None:
    with database.reading() as session:
        matrix = queries.scores(session, "job")
        cur = queries.scores(session, "job", weight="cur")
    assert matrix.iou.shape == (4, 9)
    expected = np.full((4, 9), np.nan)
    expected[:, :3] = [[0.1 * arm + 0.2 * image for arm in range(3)] for image in range(4)]
    expected[0, 6], expected[0, 8] = 0.5, 0.25
    np.testing.assert_array_equal(matrix.iou, expected)
    np.testing.assert_array_equal(cur.iou, expected[:, :3])
    assert [arm.weight for arm in cur.arms] == ["cur"] * 3
    assert [image.rank for image in matrix.images] == [0, 1, 2, 3]


def test_pages_of_events_follow_one_another(database: Database, job: Running) -> None:
    for i in range(5):
        with database.writing() as session:
            log_event(session, job.lease, "worker", f"worker {i} lost")
    with database.reading() as session:
        first = queries.events(session, "job", limit=3)
        rest = queries.events(session, "job", after=first[-1].id)
    assert [event.message for event in first + rest] == [f"worker {i} lost" for i in range(5)]


def test_rows_are_frozen(database: Database, job: Running) -> None:
    with database.reading() as session:
        row = queries.arms(session, "job")[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.pulls = 3  # type: ignore[misc]


def test_the_arms_of_a_joint_search_are_their_triples(database: Database) -> None:
    triples = [Triple(1.0, 0.5, 0.2), Triple(1.0, 1.0, 0.0)]
    running = run(database, new_job(weights=[NewWeight("joint", [NewArm(None, *triple) for triple in triples])]))
    with database.writing() as session:
        record(session, running.lease, [running.score(1, 0, 0.75)], [running.pull(1, 1, 0, 0.75)])
        best, weight = [running.arms[1].id], running.arms[0].weight_id
        conclude(session, running.lease, weight, "exhausted", may_be_best=best, winner=1, confidence=0.95)
    with database.reading() as session:
        assert [arm.value for arm in queries.arms(session, "job", weight="joint")] == triples
        assert [pull.value for pull in queries.pulls(session, "job")] == [triples[1]]
        (weight_row,) = queries.weights(session, "job")
        assert (weight_row.winner, weight_row.may_be_best) == (triples[1], (triples[1],))
        assert queries.verify(session, "job").problems == ()
    with database.writing() as session:
        session.execute(text("UPDATE arm SET pulls = 2 WHERE rank = 1"))
    with database.reading() as session:
        assert queries.verify(session, "job").problems == (
            "weight joint (round 1) arm 1/1/0: counts 2 pulls, 1 are stored",
        )
