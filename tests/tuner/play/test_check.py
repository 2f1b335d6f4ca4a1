"""What was learned is held against the base on images that no bandit saw, whatever happens on the way."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage import queries
from storage.engine import Database
from storage.errors import UnavailableError
from storage.rows import CheckMatrix
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import Settings
from tuner.errors import ScoringError
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.report.verdict import judge
from tuner.results.check import summarize_check
from tuner.results.export import weights
from tuner.results.tables import arms, jobs, status
from tuner.rewards.iou import trivial
from tuner.workers.pool import Pool, SerialPool

IMAGES = 40
HELD_OUT = 12
BASE = {"cur": 0.5, "pre": 0.5}


class Counting(FakeScorer):
    """Remembers what it scored."""

    def __init__(self, broken: Sequence[int] = ()) -> None:
        super().__init__(broken)
        self.scored: list[tuple[int, Settings]] = []

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        found = super().score(image, settings)
        self.scored += [(image, one) for one in settings]
        return found


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True)


def pool(scorer: FakeScorer) -> Callable[[], Pool]:
    return lambda: SerialPool(scorer)


def run(database: Database, scorer: FakeScorer, name: str = "fake", **changes: Any) -> str:
    plan = make_plan(make_spec(name=name, check=0.3, base=BASE, **changes), make_dataset(IMAGES))
    create(database, plan)
    return play(database, plan, pool(scorer))


def checked(database: Database, name: str = "fake") -> CheckMatrix:
    with database.reading() as session:
        assert queries.verify(session, name).problems == ()
        return queries.checks(session, name)


@pytest.mark.parametrize("policy", ["ucb1", "race", "optuna-tpe"])
def test_no_bandit_sees_an_image_of_the_check(database: Database, policy: str) -> None:
    search = {"search": "joint", "policy": {"kind": policy, "budget": 300}}
    run(database, FakeScorer(), **search)
    with database.reading() as session:
        seen = {pull.image_rank for pull in queries.all_pulls(session, "fake")}
        known = queries.scores(session, "fake")
    assert max(seen) < IMAGES - HELD_OUT
    assert len(known.images) == IMAGES - HELD_OUT
    matrix = checked(database)
    assert [image.rank for image in matrix.images] == list(range(IMAGES - HELD_OUT, IMAGES))
    assert not np.isnan(matrix.values).any()


def test_the_winners_together_the_base_and_the_whole_image_are_scored(database: Database) -> None:
    run(database, FakeScorer())
    with database.reading() as session:
        winners = {bandit.setting: bandit.winner for bandit in queries.bandits(session, "fake")}
    base, learned = make_spec(base=BASE).settings, make_spec(base=winners).settings
    assert base != learned
    dataset, matrix = make_dataset(IMAGES), checked(database)
    for image, values in zip(matrix.images, matrix.values, strict=True):
        number = int(image.name.removeprefix("image"))
        expected = [*FakeScorer().score(number, [base, learned]), trivial(dataset[number])]
        assert values.tolist() == pytest.approx(expected)


def test_the_baseline_of_the_arms_is_of_the_images_tuned_on(database: Database) -> None:
    run(database, FakeScorer(), policy={"kind": "uniform", "budget": 300})
    with database.reading() as session:
        job, table = queries.job(session, "fake"), arms(session, "fake")
        names = [image.name for image in queries.images(session, "fake")][: job.tuned_on]
    dataset = make_dataset(IMAGES)
    hits = [trivial(dataset[int(name.removeprefix("image"))]) >= 0.5 for name in names]
    assert job.baseline["mean"] == pytest.approx(np.mean(hits))
    assert [row["baseline"] for row in table.rows] == pytest.approx([np.mean(hits)] * len(table.rows))


def test_a_check_of_nothing_scores_nothing(database: Database) -> None:
    plan = make_plan(make_spec(check=0), make_dataset(IMAGES))
    create(database, plan)
    play(database, plan, pool(FakeScorer()))
    assert checked(database).values.shape == (0, 3)
    with database.reading() as session:
        assert summarize_check(session, queries.job(session, "fake")) == {}
        assert not any("learned settings" in note for note in status(session, "fake").notes)


@pytest.mark.parametrize("after", [1, 5, HELD_OUT - 1])
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_job_stopped_during_the_check_goes_on_there(database: Database, after: int, rounds: int) -> None:
    run(database, FakeScorer(), name="whole", rounds=rounds)
    plan = make_plan(make_spec(name="parts", check=0.3, base=BASE, rounds=rounds), make_dataset(IMAGES))
    create(database, plan)
    first, second = Counting(), Counting()
    held_out = set(plan.images[plan.tuned_on :])

    def stop() -> bool:
        return len(held_out & {image for image, _ in first.scored}) >= after

    assert play(database, plan, pool(first), stop=stop) == "stopped"
    partly = checked(database, "parts")
    assert 0 < np.isnan(partly.values).any(axis=1).sum() < HELD_OUT
    with database.reading() as session:
        assert summarize_check(session, queries.job(session, "parts")) == {}, "it is not looked at before its end"
    play(database, plan, pool(second))
    assert not set(first.scored) & set(second.scored), "nothing is scored twice"
    np.testing.assert_array_equal(checked(database, "parts").values, checked(database, "whole").values)


class Breaking(Database):
    """Its n-th commit arrives, or does not; then its process is as good as dead."""

    commits = 0
    last = 0
    arrives = True

    @contextmanager
    def writing(self) -> Iterator[Session]:
        if self.commits > self.last:
            raise UnavailableError("dead")
        with super().writing() as session:
            yield session
            self.commits += 1
            if self.commits > self.last and not self.arrives:
                raise UnavailableError("dead before the commit")

    def attempt(self, action: Callable[[Session], Any], *_: Any, **__: Any) -> Any:
        with self.writing() as session:
            return action(session)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_job_that_dies_at_any_commit_checks_the_same(database: Database, arrives: bool) -> None:
    small = {"arms": {"cur": [0.0, 0.5, 1.0]}, "policy": {"kind": "ucb1", "budget": 20}}
    run(database, FakeScorer(), name="whole", **small)
    expected = checked(database, "whole").values
    for last in range(1, 9):
        name = f"dies{last}"
        plan = make_plan(make_spec(name=name, check=0.3, base=BASE, **small), make_dataset(IMAGES))
        create(database, plan)
        with Breaking.open(database.url.render_as_string()) as breaking:
            assert isinstance(breaking, Breaking)
            breaking.last, breaking.arrives = last, arrives
            try:
                play(breaking, plan, pool(FakeScorer()))
            except UnavailableError:
                with database.writing() as session:
                    session.execute(text("UPDATE job SET lease_expires = 0"))
                play(database, plan, pool(FakeScorer()))
        np.testing.assert_array_equal(checked(database, name).values, expected)


def test_a_broken_image_is_left_out_of_the_check(database: Database) -> None:
    run(database, FakeScorer(range(0, IMAGES, 5)))
    matrix = checked(database)
    out = [image.quarantined for image in matrix.images]
    assert any(out)
    np.testing.assert_array_equal(np.isnan(matrix.values).any(axis=1), out)
    with database.reading() as session:
        assert summarize_check(session, queries.job(session, "fake"))["images"] == HELD_OUT - sum(out)


def test_a_check_that_fails_as_a_whole_is_not_the_images_fault_and_can_go_on(database: Database) -> None:
    plan = make_plan(make_spec(check=0.05, base=BASE), make_dataset(IMAGES))
    kept = plan.images[plan.tuned_on :]
    assert len(kept) == 2
    create(database, plan)
    with pytest.raises(ScoringError, match="the first 2 images all failed, so it is not the images"):
        play(database, plan, pool(FakeScorer(kept)))
    with database.reading() as session:
        assert queries.images(session, "fake", quarantined=True) == []
    play(database, plan, pool(FakeScorer()))
    assert not np.isnan(checked(database).values).any()


@pytest.mark.parametrize("held_out", [1, 2])
def test_the_few_images_of_a_check_are_tried_as_often_as_any_others(database: Database, held_out: int) -> None:
    class Hesitant(FakeScorer):
        """Fails at each image of the check twice."""

        def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
            tries[image] += 1
            if image in kept and tries[image] <= 2:
                raise OSError(f"image {image} is not there yet")
            return super().score(image, settings)

    plan = make_plan(make_spec(check=held_out / 40, base=BASE), make_dataset(IMAGES))
    kept, tries = plan.images[plan.tuned_on :], Counter[int]()
    assert len(kept) == held_out
    create(database, plan)
    play(database, plan, pool(Hesitant()))
    assert [tries[image] for image in kept] == [3] * held_out
    assert not np.isnan(checked(database).values).any()


def test_a_finished_job_of_whose_check_every_image_is_bad_says_so_and_why(database: Database) -> None:
    plan = make_plan(make_spec(check=0.05, base=BASE), make_dataset(IMAGES))
    create(database, plan)
    with database.writing() as session:  # an earlier run left the first one out
        session.execute(text(f"UPDATE image SET quarantined = 1, error = 'gone' WHERE rank = {plan.tuned_on}"))
        session.execute(text("UPDATE job SET quarantined = 1"))
    play(database, plan, pool(FakeScorer(plan.images[plan.tuned_on :])))
    with database.reading() as session:
        job = queries.job(session, "fake")
        assert job.state == "finished"
        notes = status(session, "fake").notes, arms(session, "fake").notes
        report = judge(job, queries.bandits(session, job.name), summarize_check(session, job), changed=True)
    kept = "of the 2 images that are kept from the bandits"
    told = f"none {kept} could be checked: OSError: image {plan.images[-1]} is broken"
    assert [note[-1] for note in notes] == [told, told]
    assert "None of the 2 images that were kept for the comparison could be scored" in report.paragraph
    assert "resume" not in report.paragraph


def test_the_difference_is_shown_exported_and_of_the_images_scored(database: Database) -> None:
    run(database, FakeScorer())
    matrix = checked(database)
    base, learned, whole = (matrix.values >= 0.5).mean(axis=0)
    with database.reading() as session:
        job = queries.job(session, "fake")
        check = summarize_check(session, job)
        table, (row,) = status(session, "fake"), jobs(session).rows
        exported = weights(session, job)
    assert (check["base"], check["learned"], check["whole_image"]) == pytest.approx((base, learned, whole))
    assert check["difference"] == pytest.approx(learned - base)
    assert check["interval"][0] <= check["difference"] <= check["interval"][1]
    assert check["mean_iou"]["difference"] == pytest.approx(np.mean(matrix.values[:, 1] - matrix.values[:, 0]))
    assert table.notes[-1].startswith("learned settings box ")
    assert table.notes[-1].count("that were not used to learn") == 1
    assert all(line["check"] == check for line in table.rows)
    assert dict(exported.check) == check
    assert (row["held_out"], row["checked"]) == (HELD_OUT, HELD_OUT)


def test_a_confidence_says_what_it_is_about(database: Database) -> None:
    run(database, FakeScorer(), name="partly")
    run(database, FakeScorer(), name="known", policy={"kind": "uniform", "budget": 300})
    with database.reading() as session:
        partly, known = status(session, "partly"), status(session, "known")
        exported = weights(session, queries.job(session, "known"))
    left = len(partly.rows[0]["may_be_best"])
    best = "confidence 0.95 that the best of 3 arms on the 28 images tuned on"
    assert partly.rows[0]["claim"] == f"{best} is among the {left} that may be best"
    assert known.rows[0]["confidence"] == 1
    assert "saw all 28 images tuned on, so the best of them on these images is known" in known.rows[0]["claim"]
    assert exported.evidence["cur"]["claim"] == known.rows[0]["claim"]
    assert "confidence" in known.data


def test_a_confidence_of_a_later_round_says_that_its_base_was_chosen_on_the_same_images(database: Database) -> None:
    run(database, FakeScorer(), rounds=2)
    with database.reading() as session:
        rows = status(session, "fake").rows
    assert {row["confidence"] for row in rows} == {0.95}
    for row in rows:
        assert ("had its base been fixed beforehand: round 1 chose it" in row["claim"]) == (row["round"] == 2)
