"""A job from its configuration to its end, on SQLite, with scores without a network."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy.orm import Session

from storage import leases, queries
from storage.engine import Database
from storage.errors import LeaseHeldError, StaleLeaseError, UnavailableError
from storage.rows import describe
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import Settings
from tuner.datasets import ImageList
from tuner.errors import ChangedError, JobError, ScoringError
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.identity import Identity
from tuner.workers.pool import Answer, Lost, Pool, SerialPool, Task, attempt


class UnrulyPool:
    """Answers in a random order, several at a time, and loses a task now and then."""

    workers = 4

    def __init__(self, scorer: FakeScorer, seed: int) -> None:
        self._scorer = scorer
        self._rng = np.random.default_rng(seed)
        self._tasks: list[Task] = []
        self.most = 0

    def submit(self, task: Task) -> None:
        self._tasks.append(task)
        self.most = max(self.most, len(self._tasks))

    def collect(self, timeout: float) -> list[Answer]:
        answers: list[Answer] = []
        for _ in range(min(len(self._tasks), int(self._rng.integers(1, 5)))):
            task = self._tasks.pop(int(self._rng.integers(len(self._tasks))))
            lost = self._rng.random() < 0.1
            answers.append(Lost(task, "killed") if lost else attempt(self._scorer, task))
        return answers

    def close(self) -> None:
        self._tasks.clear()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True)


def serial(broken: Sequence[int] = ()) -> Callable[[], Pool]:
    return lambda: SerialPool(FakeScorer(broken))


def run(database: Database, make_pool: Callable[[], Pool], images: int = 50, **changes: Any) -> str:
    plan = make_plan(make_spec(**changes), make_dataset(images))
    create(database, plan)
    return play(database, plan, make_pool)


def pulls(database: Database, name: str = "fake") -> list[tuple[Any, ...]]:
    """The job's pulls, without their times; fails where a counter is wrong."""
    with database.reading() as session:
        assert queries.verify(session, name).problems == ()
        rows = queries.pulls(session, name, limit=100_000)
    return [(row.round, row.setting, row.t, describe(row.candidate), row.image, row.value, row.success) for row in rows]


def state(database: Database, name: str = "fake") -> tuple[str, str | None, bool]:
    with database.reading() as session:
        job = queries.job(session, name)
    return job.state, job.outcome, job.live


def test_a_job_spends_its_budget_on_every_weight_and_finishes(database: Database) -> None:
    outcome = run(database, serial())
    assert state(database) == ("finished", outcome, False)
    made = pulls(database)
    for weight in ("cur", "suc", "pre"):
        assert len([pull for pull in made if pull[1] == weight]) == 60
    with database.reading() as session:
        for bandit in queries.bandits(session, "fake"):
            assert bandit.winner in bandit.may_be_best


def test_the_nth_pull_of_every_arm_uses_the_nth_image(database: Database) -> None:
    run(database, serial())
    with database.reading() as session:
        order = [image.name for image in queries.images(session, "fake")]
    seen: dict[tuple[str, str], int] = {}
    for _, setting, _, candidate, image, _, _ in pulls(database):
        n = seen.get((setting, candidate), 0)
        assert image == order[n]
        seen[setting, candidate] = n + 1


@pytest.mark.parametrize("policy", ["ucb1", "thompson", "uniform", "race"])
@pytest.mark.parametrize("seed", range(3))
def test_pulls_do_not_depend_on_the_order_of_answers_nor_on_lost_workers(
    database: Database, policy: str, seed: int
) -> None:
    broken = (3, 17, 39)
    run(database, serial(broken), name="orderly", policy={"kind": policy, "budget": 60})
    pool = UnrulyPool(FakeScorer(broken), seed)
    run(database, lambda: pool, name="unruly", policy={"kind": policy, "budget": 60})
    assert pulls(database, "unruly") == pulls(database, "orderly")
    assert pool.most <= 3 * pool.workers


def test_a_broken_image_is_left_out_for_every_arm_and_reported(database: Database) -> None:
    run(database, serial(broken=(3, 17, 39)))
    with database.reading() as session:
        out = queries.images(session, "fake", quarantined=True)
        events = [event.message for event in queries.events(session, "fake") if event.kind == "quarantine"]
    sampled = {image.name for image in out}
    assert sampled <= {"image3", "image17", "image39"}
    assert sampled
    assert all(image.failures == 3 for image in out)
    assert not sampled & {pull[4] for pull in pulls(database)}
    assert len(events) == len(out)


def test_an_image_that_takes_its_worker_along_is_left_out_in_the_end(database: Database) -> None:
    class Deadly(SerialPool):
        def collect(self, timeout: float) -> list[Answer]:
            (answer,) = super().collect(timeout)
            return [Lost(answer.task, "segmentation fault")] if answer.task.image == 3 else [answer]

    run(database, lambda: Deadly(FakeScorer()), images=40)
    with database.reading() as session:
        (out,) = queries.images(session, "fake", quarantined=True)
    assert out.name == "image3"


def test_where_every_image_fails_the_job_fails_and_can_go_on(database: Database) -> None:
    plan = make_plan(make_spec(), make_dataset(50))
    create(database, plan)
    with pytest.raises(ScoringError, match=r"it is not the images: OSError: image \d+ is broken"):
        play(database, plan, serial(broken=range(50)))
    assert state(database) == ("failed", "failed", False)
    with database.reading() as session:
        assert queries.images(session, "fake", quarantined=True) == []
    play(database, plan, serial())
    assert state(database)[0] == "finished"


def test_more_budget_than_images_ends_with_every_arm_known(database: Database) -> None:
    outcome = run(database, serial(), images=5, policy={"kind": "ucb1", "budget": 1000})
    made = pulls(database)
    assert len(made) == 5 * 9
    assert outcome in ("decided", "epsilon"), "what every arm scores on every image is known"


@pytest.mark.parametrize("scoring", ["all", "asked"])
@pytest.mark.parametrize("after", [1, 4, 11])
def test_a_stopped_job_goes_on_where_it_was(database: Database, scoring: str, after: int) -> None:
    run(database, serial(), name="whole", scoring=scoring)
    plan = make_plan(make_spec(name="parts", scoring=scoring), make_dataset(50))
    create(database, plan)
    ticks = iter(range(after))
    assert play(database, plan, serial(), stop=lambda: next(ticks, None) is None) == "stopped"
    assert state(database, "parts") == ("stopped", "stopped", False)
    play(database, plan, serial())
    if scoring == "all":
        assert pulls(database, "parts") == pulls(database, "whole")
    assert len(pulls(database, "parts")) == len(pulls(database, "whole"))


@pytest.mark.parametrize("policy", ["ucb1", "kl-ucb", "thompson", "uniform", "race"])
def test_a_job_that_scores_what_is_asked_spends_its_budget_and_repeats_no_image(
    database: Database, policy: str
) -> None:
    pool = UnrulyPool(FakeScorer((3, 17, 39)), 0)
    run(database, lambda: pool, scoring="asked", policy={"kind": policy, "budget": 60})
    made = pulls(database)
    assert len(made) == 180
    assert len({(pull[1], pull[3], pull[4]) for pull in made}) == 180


def test_a_job_that_scores_what_is_asked_ends_where_images_run_out(database: Database) -> None:
    run(
        database,
        lambda: UnrulyPool(FakeScorer((3,)), 0),
        scoring="asked",
        images=6,
        policy={"kind": "ucb1", "budget": 99},
    )
    assert len(pulls(database)) == 5 * 9


def test_the_second_round_holds_the_winners_of_the_first(database: Database) -> None:
    run(database, serial(), rounds=2)
    with database.reading() as session:
        bandits = queries.bandits(session, "fake")
    first = {bandit.setting: bandit.winner for bandit in bandits if bandit.round == 1}
    for bandit in bandits:
        held = first if bandit.round == 2 else {"cur": 1.0, "suc": 1.0, "pre": 1.0}
        assert {name: bandit.base.get(name) for name in first} == held | {bandit.setting: None}
        assert bandit.base["location"] == "peak"
    assert {pull[0] for pull in pulls(database)} == {1, 2}


def test_suc_under_the_papers_reading_is_tied_without_a_pull(database: Database) -> None:
    run(database, serial(), tracer={"successor": "paper"})
    with database.reading() as session:
        suc = next(bandit for bandit in queries.bandits(session, "fake") if bandit.setting == "suc")
    assert (suc.outcome, suc.pulls, suc.winner) == ("tied", 0, 1.0)
    assert suc.may_be_best == (0.0, 0.5, 1.0)


def test_other_images_than_the_job_began_with_are_refused(database: Database) -> None:
    create(database, make_plan(make_spec(), make_dataset(50)))
    with pytest.raises(JobError, match="began with another data set"):
        play(database, make_plan(make_spec(), make_dataset(51)), serial())


def test_other_pixels_than_the_job_began_with_are_refused(database: Database) -> None:
    create(database, make_plan(make_spec(), make_dataset(50)))
    repainted = [replace(image, read=partial(Image.new, "RGB", (10, 10), "red")) for image in make_dataset(50).images]
    with pytest.raises(ChangedError, match="began with another set of pixels"):
        play(database, make_plan(make_spec(), ImageList(tuple(repainted))), serial())


def test_other_arms_than_the_job_began_with_are_refused(database: Database) -> None:
    create(database, make_plan(make_spec(arms={"cur": [0.0, 1.0]}), make_dataset(50)))
    with pytest.raises(ChangedError, match="began with other arms of cur"):
        play(database, make_plan(make_spec(arms={"cur": [0.5, 1.0]}), make_dataset(50)), serial())


def test_other_parameters_than_the_job_began_with_are_refused(database: Database) -> None:
    plan = replace(make_plan(make_spec(), make_dataset(50)), identity=Identity("a" * 64))
    create(database, plan)
    with pytest.raises(ChangedError, match=r"another set of parameters \(sha256 aaaaaaaaaaaa, now bbbbbbbbbbbb\)"):
        play(database, replace(plan, identity=Identity("b" * 64)), serial())


def test_an_image_that_is_replaced_in_mid_run_stops_the_job_and_is_not_recorded(database: Database) -> None:
    plan = make_plan(make_spec(), make_dataset(50))
    create(database, plan)
    replaced = plan.images[5]

    class Replaced(FakeScorer):
        """Opens each image before it scores it, as the scorer does; one is replaced before."""

        def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
            labelled = plan.dataset[image]
            if image == replaced:
                labelled = replace(labelled, read=partial(Image.new, "RGB", (10, 10), "red"))
            labelled.open()
            return super().score(image, settings)

    with pytest.raises(ChangedError, match=f"image image{replaced} has other pixels now"):
        play(database, plan, lambda: SerialPool(Replaced()))
    assert state(database) == ("failed", "failed", False)
    with database.reading() as session:
        known = queries.scores(session, "fake")
    assert known.images[5].name == f"image{replaced}"
    assert known.images[5].failures == 0
    assert np.isnan(known.values[5]).all()


def test_a_name_that_is_taken_is_refused_with_the_mend(database: Database) -> None:
    create(database, make_plan(make_spec(), make_dataset(50)))
    with pytest.raises(JobError, match="tuner resume fake"):
        create(database, make_plan(make_spec(), make_dataset(50)))
    with pytest.raises(JobError, match="its seed differs"):
        create(database, make_plan(make_spec(seed=1), make_dataset(50)))


def test_a_second_controller_is_refused(database: Database) -> None:
    plan = make_plan(make_spec(), make_dataset(50))
    create(database, plan)

    def second() -> bool:
        with pytest.raises(LeaseHeldError, match="is run by"):
            play(database, plan, serial())
        return True

    assert play(database, plan, serial(), stop=second) == "stopped"


class Forgetful(Database):
    """Every other commit arrives, but its connection breaks before the answer does."""

    commits = 0

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with super().writing() as session:
            yield session
        self.commits += 1
        if self.commits % 2:
            raise UnavailableError("the connection broke after the commit")


def test_commits_that_arrive_though_their_connection_breaks_change_nothing(database: Database) -> None:
    outcome = run(database, serial(), name="orderly")
    plan = make_plan(make_spec(name="forgotten"), make_dataset(50))
    create(database, plan)
    with Forgetful.open(database.url.render_as_string()) as forgetful:
        assert play(forgetful, plan, serial()) == outcome
        assert isinstance(forgetful, Forgetful)
        assert forgetful.commits > 4
    assert pulls(database, "forgotten") == pulls(database, "orderly")
    assert state(database, "forgotten") == ("finished", outcome, False)


def test_a_controller_that_lost_its_job_cannot_write(database: Database) -> None:
    plan = make_plan(make_spec(), make_dataset(50))
    create(database, plan)
    taken: list[leases.Lease] = []

    def usurp() -> bool:
        if not taken:
            taken.append(database.attempt(lambda session: leases.acquire(session, "fake", "another", evict=1)))
        return False

    with pytest.raises(StaleLeaseError, match="another"):
        play(database, plan, serial(), stop=usurp)
    assert pulls(database) == []
    assert state(database)[0] == "running", "it is the other one's job now"


ANY = {"location": ["peak", "center"], "convolution": [1, 4, "positive"], "pre": [0.0, 0.5]}


def test_any_setting_is_tuned_and_the_others_are_not(database: Database) -> None:
    run(database, serial(), arms=ANY)
    with database.reading() as session:
        arms = queries.arms(session, "fake")
    assert [(arm.setting, arm.candidate) for arm in arms] == [
        ("pre", 0.0), ("pre", 0.5), ("location", "peak"), ("location", "center"),
        ("convolution", 1), ("convolution", 4), ("convolution", "positive"),
    ]  # fmt: skip
    assert {pull[1] for pull in pulls(database)} == set(ANY)


@pytest.mark.parametrize("policy", ["ucb1", "thompson", "uniform", "race"])
@pytest.mark.parametrize("scoring", ["all", "asked"])
def test_combinations_are_the_arms_of_one_bandit_of_any_policy(database: Database, policy: str, scoring: str) -> None:
    changes = {"arms": ANY, "search": "joint", "scoring": scoring, "policy": {"kind": policy, "budget": 120}}
    run(database, serial((3,)), **changes)
    with database.reading() as session:
        (bandit,) = queries.bandits(session, "fake")
        arms = queries.arms(session, "fake")
    assert bandit.setting == "joint"
    assert len(arms) == 12
    assert bandit.winner in bandit.may_be_best
    assert set(arms[0].candidate) == set(ANY)  # type: ignore[arg-type]
    assert not set(ANY) & set(bandit.base)
    assert len(pulls(database)) == 120
