"""One function a question, the same answers on both databases."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import text

from storage import leases, queries
from storage.creation import NewBandit, add_round, create_job
from storage.engine import Database
from storage.errors import UnknownJobError
from storage.models import Candidate, Value
from storage.records import conclude, log_event, record
from storage.rows import describe
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
        queries.bandits,
        queries.arms,
        queries.pulls,
        queries.scores,
        queries.images,
        queries.events,
        queries.newest_events,
        queries.newest_pulls,
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


def test_bandits_add_up_their_arms(database: Database, job: Running) -> None:
    with database.reading() as session:
        rows = queries.bandits(session, "job")
    assert [(row.setting, row.pulls, row.successes) for row in rows] == [("cur", 10, 3), ("suc", 0, 0), ("pre", 2, 1)]


def test_arms_can_be_asked_for_by_setting_and_round(database: Database, job: Running) -> None:
    with database.writing() as session:
        add_round(session, job.lease, 2, [NewBandit("pre", {"cur": 1.0, "suc": 1.0}, [0.25])])
    with database.reading() as session:
        assert [arm.candidate for arm in queries.arms(session, "job", setting="pre")] == [0.0, 0.5, 1.0, 0.25]
        assert [arm.candidate for arm in queries.arms(session, "job", setting="pre", round=2)] == [0.25]
        assert queries.arms(session, "job", round=3) == []


def test_pulls_read_their_scores(database: Database, job: Running) -> None:
    with database.reading() as session:
        first, second, *_ = queries.pulls(session, "job")
        started = queries.job(session, "job").started
    assert (first.t, first.round, first.setting, first.candidate, first.image, first.image_rank) == (
        1,
        1,
        "cur",
        0.0,
        "image-0",
        0,
    )
    assert (first.value, first.success) == (0.0, False)
    assert (second.candidate, second.value) == (0.5, 0.1)
    assert started is not None
    assert first.at >= started


def test_pages_of_pulls_follow_one_another(database: Database, job: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.reading() as session:
        everything = queries.pulls(session, "job")
        pages, after = [], (0, 0)
        while page := queries.pulls(session, "job", after=after, limit=5):
            pages.append(page)
            after = (page[-1].bandit_id, page[-1].t)
        assert [len(page) for page in pages] == [5, 5, 2]
        assert [pull for page in pages for pull in page] == everything
        monkeypatch.setattr(queries, "PAGE", 5)
        assert list(queries.all_pulls(session, "job")) == everything
        assert [pull.t for pull in queries.pulls(session, "job", setting="pre")] == [1, 2]
        assert queries.pulls(session, "job", round=2) == []


def test_the_score_matrix_is_images_by_arms_with_nan_for_unknown(database: Database, job: Running) -> None:
    with database.reading() as session:
        matrix = queries.scores(session, "job")
        cur = queries.scores(session, "job", setting="cur")
    assert matrix.values.shape == (4, 9)
    expected = np.full((4, 9), np.nan)
    expected[:, :3] = [[0.1 * arm + 0.2 * image for arm in range(3)] for image in range(4)]
    expected[0, 6], expected[0, 8] = 0.5, 0.25
    np.testing.assert_array_equal(matrix.values, expected)
    np.testing.assert_array_equal(cur.values, expected[:, :3])
    assert [arm.setting for arm in cur.arms] == ["cur"] * 3
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


@pytest.mark.parametrize(
    ("setting", "candidates"),
    [
        ("location", ["peak", "center"]),
        ("convolution", ["positive", 16, 0.25]),
        ("input", [None, 320]),
        ("joint", [{"input": None, "pre": 0.0}, {"input": 320, "pre": 0.0}]),
        ("cut", [0.3, "mass 0.6"]),
        ("joint", [{"pre": 0.2, "cut": "mass 0.6"}, {"pre": 0.0, "cut": 0.3}]),
    ],
)
def test_a_candidate_comes_back_as_it_was_stored(
    database: Database, setting: str, candidates: Sequence[Candidate]
) -> None:
    base: dict[str, Value] = {"depth": 16, "location": "peak", "input": None}
    running = run(database, new_job(bandits=[NewBandit(setting, base, candidates)]))
    with database.reading() as session:
        found = [arm.candidate for arm in queries.arms(session, "job", setting=setting)]
        assert repr(found) == repr(candidates)
        bandit = queries.bandits(session, "job")[0]
        assert (bandit.base, bandit.winner_rank, bandit.winner) == (base, None, None)
        (constant,) = session.execute(text("SELECT count(*) FROM arm WHERE candidate IS NULL")).scalars()
        assert constant == 0, "null is JSON's: the column holds it as a value"
    arms = [arm.id for arm in running.arms]
    with database.writing() as session:
        conclude(session, running.lease, bandit.id, "epsilon", may_be_best=arms, winner=0, confidence=0.95)
    with database.reading() as session:
        bandit = queries.bandits(session, "job")[0]
        assert (bandit.winner_rank, bandit.winner, list(bandit.may_be_best)) == (0, candidates[0], candidates)


def test_a_candidate_is_described_in_one_line() -> None:
    candidates: list[Candidate] = [0.3, 1.0, 16, "mass 0.6", None, {"cur": 1.0, "cut": "mass 0.6", "input": None}]
    assert list(map(describe, candidates)) == ["0.3", "1", "16", "mass 0.6", "null", "cur=1 cut=mass 0.6 input=null"]


def test_the_arms_of_a_joint_search_are_combinations(database: Database) -> None:
    combinations = [{"cur": 1.0, "suc": 0.5}, {"cur": 1.0, "suc": 0.0}]
    running = run(database, new_job(bandits=[NewBandit("joint", {"pre": 0.2}, combinations)]))
    with database.writing() as session:
        record(session, running.lease, [running.score(1, 0, 0.75)], [running.pull(1, 1, 0, 0.75)])
        best, bandit = [running.arms[1].id], running.arms[0].bandit_id
        conclude(session, running.lease, bandit, "exhausted", may_be_best=best, winner=1, confidence=0.95)
    with database.reading() as session:
        assert [arm.candidate for arm in queries.arms(session, "job", setting="joint")] == combinations
        assert [pull.candidate for pull in queries.pulls(session, "job")] == [combinations[1]]
        (row,) = queries.bandits(session, "job")
        assert (row.winner, row.may_be_best) == (combinations[1], (combinations[1],))
        assert queries.verify(session, "job").problems == ()
    with database.writing() as session:
        session.execute(text("UPDATE arm SET pulls = 2 WHERE rank = 1"))
    with database.reading() as session:
        assert queries.verify(session, "job").problems == (
            "bandit joint (round 1) arm cur=1 suc=0: counts 2 pulls, 1 are stored",
        )


def test_newest_pulls_are_merged_over_bandits_and_paged(database: Database, job: Running) -> None:
    with database.reading() as session:
        every = queries.newest_pulls(session, "job")
        assert sorted((p.bandit_id, p.t) for p in every) == [
            (p.bandit_id, p.t) for p in queries.all_pulls(session, "job")
        ]
        paged, before = [], dict[int, int]()
        while page := queries.newest_pulls(session, "job", before=before, limit=5):
            paged += page
            before |= {pull.bandit_id: pull.t for pull in page}
        assert paged == every
        assert {pull.setting for pull in queries.newest_pulls(session, "job", setting="pre")} == {"pre"}


def test_an_image_shows_scores_with_the_pulls_that_read_them(database: Database, job: Running) -> None:
    with database.reading() as session:
        rows = queries.image_scores(session, "job", 3)
        assert [(row.arm_id - job.arms[0].id, row.t) for row in rows] == [(0, 10), (1, None), (2, None)]
        assert [row.success for row in rows] == [True, True, True]
        assert queries.image_scores(session, "job", 3, after=rows[0].arm_id, limit=1) == rows[1:2]
        image = queries.image(session, "job", 3)
        assert image is not None
        assert image.name == "image-3"
        assert queries.image(session, "job", 4) is None


def test_scores_can_be_asked_for_of_some_arms_and_of_the_first_images(database: Database, job: Running) -> None:
    with database.reading() as session:
        whole = queries.scores(session, "job")
        part = queries.scores(session, "job", only=[job.arms[2].id, job.arms[0].id], first=2)
    assert [arm.id for arm in part.arms] == [job.arms[0].id, job.arms[2].id]
    assert part.images == whole.images[:2]
    np.testing.assert_array_equal(part.values, whole.values[:2][:, [0, 2]])


def test_events_can_be_read_backwards(database: Database, job: Running) -> None:
    with database.writing() as session:
        for number in range(5):
            log_event(session, job.lease, "note", str(number))
    with database.reading() as session:
        newest = queries.newest_events(session, "job", limit=3)
        assert [event.message for event in newest] == ["4", "3", "2"]
        older = queries.newest_events(session, "job", before=newest[-1].id, limit=2)
        assert [event.message for event in older] == ["1", "0"]


def test_jobs_can_be_paged(database: Database, job: Running) -> None:
    with database.reading() as session:
        (newest,) = queries.jobs(session, limit=1)
        assert [newest.name, *(row.name for row in queries.jobs(session, before=newest.id))] == ["job", "other"]


def test_the_change_counter_tells_of_others_writes(database: Database, job: Running) -> None:
    with database.reading() as session:
        before = queries.change_counter(session)
        assert queries.change_counter(session) == before
    if database.url.get_backend_name() == "postgresql":  # keeps no such number
        assert before is None
        return
    with database.writing() as session:
        leases.request_stop(session, "job")
    with database.reading() as session:
        assert queries.change_counter(session) != before
