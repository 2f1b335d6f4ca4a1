"""Every counter recomputed: what agrees passes, and each kind of tampering is found and named."""

import pytest
from sqlalchemy import text

from storage import queries
from storage.engine import Database
from storage.records import record, record_checks
from storage.rows import Verification
from tests.storage.jobs import new_job, run


@pytest.fixture
def filled(database: Database) -> Database:
    """A job with six pulls of cur, beside another job."""
    other = run(database, new_job("other"))
    with database.writing() as session:
        record(session, other.lease, [other.score(0, 0, 1.0)], [other.pull(1, 0, 0, 1.0)])
    running = run(database)
    with database.writing() as session:
        scores = [running.score(arm, image, 0.3 * arm) for image in range(3) for arm in range(2)]
        record(session, running.lease, scores, [running.pull(i + 1, i % 2, i // 2, 0.3 * (i % 2)) for i in range(6)])
    return database


def verified(database: Database) -> Verification:
    with database.reading() as session:
        return queries.verify(session, "job")


def test_an_untouched_job_agrees(filled: Database) -> None:
    assert verified(filled) == Verification(arms=9, images=4, scores=6, pulls=6, checks=0, problems=())


def test_a_job_without_pulls_agrees(database: Database) -> None:
    run(database)
    assert verified(database) == Verification(arms=9, images=4, scores=0, pulls=0, checks=0, problems=())


JOB = "(SELECT id FROM job WHERE name = 'job')"
CUR = f"(SELECT id FROM bandit WHERE setting = 'cur' AND job_id = {JOB})"
SUC = f"(SELECT id FROM bandit WHERE setting = 'suc' AND job_id = {JOB})"
ARM = f"bandit_id = {CUR} AND rank"
LAST = f"bandit_id = {CUR} AND t = 6"
FIRST_ARM, SECOND_ARM = "bandit cur (round 1) arm 0", "bandit cur (round 1) arm 0.5"


@pytest.mark.parametrize(
    ("tampering", "problem"),
    [
        (f"UPDATE arm SET pulls = 4 WHERE {ARM} = 0", f"{FIRST_ARM}: counts 4 pulls, 3 are stored"),
        (f"UPDATE arm SET successes = 2 WHERE {ARM} = 1", f"{SECOND_ARM}: counts 2 successes, 0 are stored"),
        (
            f"UPDATE arm SET value_sum = 0.91 WHERE {ARM} = 1",
            f"{SECOND_ARM}: its values add up to 0.900000, not 0.910000",
        ),
        (f"UPDATE pull SET t = 9 WHERE {LAST}", "bandit cur (round 1): 6 pulls are stored, the last is number 9"),
        (f"UPDATE job SET images = 5 WHERE id = {JOB}", "the job counts 5 images, 4 are stored"),
        (f"UPDATE job SET quarantined = 1 WHERE id = {JOB}", "the job counts 1 quarantined images, 0 are stored"),
        (
            f"UPDATE job SET threshold = 0.2 WHERE id = {JOB}",
            f"{SECOND_ARM}: 3 pulls are not judged by the job's threshold",
        ),
        (
            f"UPDATE pull SET bandit_id = {SUC}, t = 1 WHERE {LAST}",
            f"{SECOND_ARM}: 1 pulls are of another bandit or on another job's images",
        ),
    ],
)
def test_tampering_is_found(filled: Database, tampering: str, problem: str) -> None:
    with filled.writing() as session:
        session.execute(text(tampering))
    assert verified(filled).problems == (problem,)


def test_a_pull_that_vanished_is_found(filled: Database) -> None:
    with filled.writing() as session:
        session.execute(text(f"DELETE FROM pull WHERE bandit_id = {CUR} AND t = 2"))
    problems = verified(filled).problems
    assert "bandit cur (round 1) arm 0.5: counts 3 pulls, 2 are stored" in problems
    assert "bandit cur (round 1): 5 pulls are stored, the last is number 6" in problems


@pytest.fixture
def checked(database: Database) -> Database:
    """A job whose last two images are kept from the bandits, one of them checked."""
    running = run(database, new_job(held_out=2))
    with database.writing() as session:
        record(session, running.lease, [running.score(0, 1, 0.5)], [running.pull(1, 0, 1, 0.5)])
        record_checks(session, running.lease, running.check(2, 0.25, 0.75, 0.5))
    return database


def test_a_check_agrees(checked: Database) -> None:
    assert verified(checked) == Verification(arms=9, images=4, scores=1, pulls=1, checks=1, problems=())


RANK = f"image_id = (SELECT id FROM image WHERE job_id = {JOB} AND rank = 2)"


@pytest.mark.parametrize(
    ("tampering", "problem"),
    [
        (f"UPDATE job SET held_out = 3 WHERE id = {JOB}", "bandits were shown 1 of the 3 images kept from them"),
        (
            f"UPDATE job SET held_out = 1 WHERE id = {JOB}",
            "image image-2: the bandits see it, yet it was scored for the check",
        ),
        (
            f"DELETE FROM \"check\" WHERE subject = 'base' AND {RANK}",
            "image image-2: the check compares 3 subjects, 2 are stored",
        ),
    ],
)
def test_tampering_with_a_check_is_found(checked: Database, tampering: str, problem: str) -> None:
    with checked.writing() as session:
        session.execute(text(tampering))
    assert verified(checked).problems == (problem,)
