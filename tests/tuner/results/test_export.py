"""The weight file of a job: what its winners come to, byte for byte the same, and only of a job that has ended."""

from pathlib import Path

import pytest

from storage import queries
from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import TraceConfig, load_weights
from tuner.errors import JobError
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.results.export import export
from tuner.workers.pool import SerialPool


def played(folder: Path, *, stop: bool = False, **changes: object) -> Database:
    """A database with one job, played to its end or stopped at once."""
    database = Database.open(f"sqlite:///{folder}/tuner.db", create=True)
    plan = make_plan(make_spec(**changes), make_dataset(50))
    create(database, plan)
    play(database, plan, lambda: SerialPool(FakeScorer()), stop=lambda: stop)
    return database


def test_the_winner_of_each_bandit_is_the_files_setting(tmp_path: Path) -> None:
    with played(tmp_path, arms={"cur": [0.0, 1.0], "depth": [16, 32]}) as database, database.reading() as session:
        export(session, tmp_path / "job.yaml", name="fake")
        winners = {bandit.setting: bandit.winner for bandit in queries.bandits(session, "fake")}
    learned = load_weights(tmp_path / "job.yaml")
    assert learned.alpha.cur == winners["cur"]
    assert learned.tracer == TraceConfig.paper(depth=winners["depth"])
    assert set(learned.evidence) == {"cur", "depth"}


def test_the_same_job_is_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "first.yaml", tmp_path / "second.yaml"]
    with played(tmp_path) as database:
        for file in files:
            with database.reading() as session:
                export(session, file, name="fake")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_job_that_was_stopped_has_learned_nothing_and_no_file_is_written(tmp_path: Path) -> None:
    refused = pytest.raises(JobError, match="learned nothing final yet")
    with played(tmp_path, stop=True) as database, database.reading() as session, refused:
        export(session, tmp_path / "job.yaml", name="fake")
    assert not (tmp_path / "job.yaml").exists()


def test_what_was_gained_stands_in_the_file_where_images_were_kept(tmp_path: Path) -> None:
    with played(tmp_path, check=0.25) as database, database.reading() as session:
        export(session, tmp_path / "job.yaml", name="fake")
    check = load_weights(tmp_path / "job.yaml").check
    assert check["images"] == 10
    assert check["difference"] == pytest.approx(check["learned"] - check["base"])
    assert check["interval"][0] <= check["difference"] <= check["interval"][1]
