"""A joint search by Optuna, from its configuration to its end, with scores without a network."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import queries
from storage.engine import Database
from storage.rows import BanditRow, PullRow, describe
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tests.tuner.play.test_lifecycle import UnrulyPool
from tuner.errors import JobError
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.pool import Answer, Lost, Pool, SerialPool, Task

BROKEN = (3, 17, 39)


def joint(budget: int = 400, **policy: int) -> dict[str, Any]:
    return {"kind": "optuna-tpe", "budget": budget, "trial_images": 10, "batch": 4} | policy


def run(database: Database, make_pool: Callable[[], Pool], name: str = "fake", images: int = 50, **changes: Any) -> str:
    plan = make_plan(make_spec(name=name, **{"policy": joint(), "search": "joint"} | changes), make_dataset(images))
    create(database, plan)
    return play(database, plan, make_pool)


def serial(broken: tuple[int, ...] = BROKEN) -> Callable[[], Pool]:
    return lambda: SerialPool(FakeScorer(broken))


def rows(database: Database, name: str = "fake") -> tuple[BanditRow, list[PullRow]]:
    """The one bandit of a joint job and its pulls; fails where a counter is wrong."""
    with database.reading() as session:
        assert queries.verify(session, name).problems == ()
        (bandit,) = queries.bandits(session, name)
        return bandit, queries.pulls(session, name, limit=100_000)


def made(database: Database, name: str = "fake") -> list[tuple[object, ...]]:
    return [
        (pull.t, describe(pull.candidate), pull.image, pull.value, pull.success) for pull in rows(database, name)[1]
    ]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True)


def test_a_trial_scores_an_arm_on_the_first_images_and_the_base_is_tried_first(database: Database) -> None:
    assert run(database, serial()) == "exhausted"
    bandit, pulls = rows(database)
    with database.reading() as session:
        order = [image.name for image in queries.images(session, "fake") if not image.quarantined]
    seen: dict[Any, list[str]] = {}
    for pull in pulls:
        seen.setdefault(describe(pull.candidate), []).append(pull.image)
    assert "cur=1 suc=1 pre=1" in list(seen)[:4]
    assert all(images == order[:10] for images in seen.values())
    assert bandit.setting == "joint"
    assert bandit.winner in bandit.may_be_best
    assert set(map(describe, bandit.may_be_best)) <= set(seen)
    assert bandit.confidence == 0.95


@pytest.mark.parametrize("budget", [10, 39, 40, 41, 99, 400])
def test_the_budget_is_never_exceeded_and_a_trial_that_does_not_fit_is_not_begun(
    database: Database, budget: int
) -> None:
    run(database, serial(), policy=joint(budget))
    assert len(made(database)) == min(budget // 10, 15) * 10, "there are 15 combinations, equal ones taken together"


def test_where_every_arm_saw_every_image_the_best_is_known(database: Database) -> None:
    assert run(database, serial(), policy=joint(10_000, trial_images=1000)) in ("decided", "epsilon")
    bandit, pulls = rows(database)
    with database.reading() as session:
        arms = queries.arms(session, "fake")
        usable = len(queries.images(session, "fake", quarantined=False))
    assert {arm.pulls for arm in arms} == {usable}
    most = max(arm.successes for arm in arms)
    assert list(bandit.may_be_best) == [arm.candidate for arm in arms if arm.successes == most]
    assert bandit.confidence == 1.0
    assert len(pulls) == 15 * usable


@pytest.mark.parametrize("seed", range(3))
def test_pulls_do_not_depend_on_the_order_of_answers_nor_on_lost_workers(database: Database, seed: int) -> None:
    run(database, serial(), name="orderly")
    pool = UnrulyPool(FakeScorer(BROKEN), seed)
    run(database, lambda: pool, name="unruly")
    assert made(database, "unruly") == made(database, "orderly")
    assert pool.most <= 3 * pool.workers


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.booleans())
def test_a_search_that_was_interrupted_comes_to_the_identical_table(
    tmp_path_factory: pytest.TempPathFactory, moments: list[int], kill: bool
) -> None:
    class KilledError(Exception):
        pass

    with Database.open(f"sqlite:///{tmp_path_factory.mktemp('joint')}/tuner.db", create=True) as database:
        run(database, serial(), name="whole")
        plan = make_plan(make_spec(name="parts", policy=joint(), search="joint"), make_dataset(50))
        create(database, plan)
        for moment in moments:
            left = iter(range(moment))

            def stop(left: Any = left) -> bool:
                over = next(left, None) is None
                if over and kill:
                    raise KilledError
                return over

            try:
                if play(database, plan, serial(), stop=stop) != "stopped":
                    break
            except KilledError:
                pass
        else:
            play(database, plan, serial())
        assert made(database, "parts") == made(database, "whole")
        assert [arm.candidate for arm in _arms(database, "parts")] == [
            arm.candidate for arm in _arms(database, "whole")
        ]
        whole, parts = rows(database, "whole")[0], rows(database, "parts")[0]
        assert (parts.winner, parts.may_be_best) == (whole.winner, whole.may_be_best)


class StallingScorer(FakeScorer):
    """Scores so many images slowly, then no more: however busy the machine, its process cannot end before it is killed.

    Args:
        most: How many.
        stalled: Is made when it has scored them.
    """

    def __init__(self, most: int, stalled: Path) -> None:
        super().__init__(BROKEN)
        self._left = most
        self._stalled = stalled

    def score(self, image: int, settings: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            self._stalled.touch()
            time.sleep(1_000)
        time.sleep(0.02)
        return super().score(image, settings)


def play_slowly(storage: str, name: str, most: str, stalled: str) -> None:
    """What a killed process runs: creates the job or goes on with it, by so many images."""
    plan = make_plan(make_spec(name=name, policy=joint(), search="joint"), make_dataset(50))
    with Database.open(storage, create=True) as database:
        with contextlib.suppress(JobError):
            create(database, plan)
        play(database, plan, lambda: SerialPool(StallingScorer(int(most), Path(stalled))))


def test_a_search_whose_process_is_killed_again_and_again_comes_to_the_identical_table(tmp_path: Path) -> None:
    storage, stalled = f"sqlite:///{tmp_path}/tuner.db", tmp_path / "stalled"
    code = "import sys; from tests.tuner.play.test_joint import play_slowly; play_slowly(*sys.argv[1:])"
    rng = random.Random(0)

    def start(name: str, most: int = 1_000) -> "subprocess.Popen[bytes]":
        arguments = [storage, name, str(most), str(stalled)]
        return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=Path(__file__).parents[3])

    assert start("whole").wait(100) == 0
    with Database.open(storage) as database:
        pulled = 0
        for _ in range(4):
            process = start("parts", most=9)
            while len(_pulls(database, "parts")) <= pulled and not stalled.exists():
                assert process.poll() is None
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
            process.wait()
            stalled.unlink(missing_ok=True)
            pulled = len(_pulls(database, "parts"))
        assert 0 < pulled < 400
        assert start("parts").wait(100) == 0
        assert made(database, "parts") == made(database, "whole")


def _pulls(database: Database, name: str) -> list[PullRow]:
    with database.reading() as session:
        known = {job.name for job in queries.jobs(session)}
        return queries.pulls(session, name, limit=100_000) if name in known else []


def _arms(database: Database, name: str) -> list[Any]:
    with database.reading() as session:
        return [arm for arm in queries.arms(session, name) if arm.may_be_best]


def test_an_image_that_fails_late_is_left_out_of_what_follows_and_the_job_still_resumes(database: Database) -> None:
    class Fading(SerialPool):
        """The 4th image takes its worker along once 12 tasks were answered."""

        answered = 0

        def collect(self, timeout: float) -> list[Answer]:
            answers = super().collect(timeout)
            Fading.answered += len(answers)
            if Fading.answered > 12:
                return [Lost(a.task, "gone") if a.task.position == 3 else a for a in answers]
            return answers

    plan = make_plan(make_spec(policy=joint(), search="joint"), make_dataset(50))
    create(database, plan)
    ticks = iter(range(34))
    assert play(database, plan, lambda: Fading(FakeScorer()), stop=lambda: next(ticks, None) is None) == "stopped"
    assert play(database, plan, lambda: Fading(FakeScorer())) == "exhausted"
    _, pulls = rows(database)
    counts = Counter(describe(pull.candidate) for pull in pulls)
    assert set(counts.values()) == {10}
    late = [pull for pull in pulls if pull.t > 40]
    assert late
    assert 3 not in {pull.image_rank for pull in late}


def test_all_arms_of_a_batch_are_scored_in_one_task(database: Database) -> None:
    tasks: list[Task] = []

    class Watched(SerialPool):
        def submit(self, task: Task) -> None:
            tasks.append(task)
            super().submit(task)

    run(database, lambda: Watched(FakeScorer()))
    assert [len(task.settings) for task in tasks] == [4] * 30 + [3] * 10


def test_recorded_trials_that_optuna_does_not_suggest_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(make_spec(policy=joint(), search="joint"), make_dataset(50))
    create(database, plan)
    ticks = iter(range(30))
    play(database, plan, serial(), stop=lambda: next(ticks, None) is None)
    other = np.random.SeedSequence(99)
    monkeypatch.setattr("tuner.play.tpe.np.random.SeedSequence", lambda seed: other)
    with pytest.raises(JobError, match="install the versions of optuna"):
        play(database, plan, serial())


def test_an_interaction_that_each_weight_alone_misses_is_found(database: Database) -> None:
    class Ridge(FakeScorer):
        """Good only off the base's lines: a low suc pays where pre is low too."""

        def score(self, image: int, settings: Any) -> Any:
            good = [(one.alpha.suc == 0.0) == (one.alpha.pre == 0.0) for one in settings]
            best = [one.alpha.suc == 0.0 and one.alpha.pre == 0.0 for one in settings]
            base = 0.1 * (image % 5)
            return np.array([base + 0.3 * g + 0.2 * b for g, b in zip(good, best, strict=True)])

    run(database, lambda: SerialPool(Ridge()), name="each", policy={"kind": "uniform", "budget": 3 * 40}, search="each")
    run(database, lambda: SerialPool(Ridge()), name="joint", policy=joint(10_000, trial_images=40))
    with database.reading() as session:
        each = {bandit.setting: bandit.winner for bandit in queries.bandits(session, "each")}
    assert each == {"cur": 1.0, "suc": 1.0, "pre": 1.0}
    bandit, _ = rows(database, "joint")
    assert isinstance(bandit.winner, dict)
    assert (bandit.winner["suc"], bandit.winner["pre"]) == (0.0, 0.0)
