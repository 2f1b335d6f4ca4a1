"""The loop of a job: who is asked, what becomes of images that fail, and when it ends."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from tests.tuner.fakes import FakeScorer, make_spec
from tuner.errors import ScoringError
from tuner.play.controller import FAILURES, LOSSES, WINDOW, Controller, Progress
from tuner.play.rounds import BanditRound, CheckedValue, NewValue, Pulled
from tuner.play.search import make_round
from tuner.workers.pool import Answer, Failed, Lost, Scored, SerialPool, Task

IMAGES = 12


class FakeJournal:
    """Remembers what it is told to store."""

    stop_requested = False

    def __init__(self) -> None:
        self.failures: dict[int, int] = {}
        self.quarantined: list[int] = []
        self.events: list[str] = []
        self.pulls: list[Pulled] = []

    def name(self, position: int) -> str:
        return f"image{position}"

    def add_scores(self, position: int, scores: Sequence[NewValue]) -> None: ...

    def add_checks(self, position: int, values: Sequence[CheckedValue]) -> None: ...

    def add_pulls(self, pulls: Sequence[Pulled]) -> None:
        self.pulls += pulls

    def flush(self) -> None: ...

    def keep(self) -> None: ...

    def fail(self, position: int, reason: str, failures: int, *, quarantine: bool) -> None:
        self.failures[position] = failures
        if quarantine:
            self.quarantined.append(position)

    def event(self, kind: str, message: str) -> None:
        self.events.append(f"{kind}: {message}")


class FlakyPool(SerialPool):
    """Fails or loses the next tasks of an image, as often as it is told to."""

    def __init__(self) -> None:
        super().__init__(FakeScorer())
        self.fails: Counter[int] = Counter()
        self.losses: Counter[int] = Counter()
        self.most = 0

    def submit(self, task: Task) -> None:
        super().submit(task)
        self.most = max(self.most, len(self._tasks))

    def collect(self, timeout: float) -> list[Answer]:
        answers: list[Answer] = []
        for answer in super().collect(timeout):
            image = answer.task.image
            if self.fails[image]:
                self.fails[image] -= 1
                answers.append(Failed(answer.task, "no answer"))
            elif self.losses[image]:
                self.losses[image] -= 1
                answers.append(Lost(answer.task, "killed"))
            else:
                answers.append(answer)
        return answers


def new_round(number: int, scoring: str = "all") -> BanditRound:
    """A round on other settings than those of every other one, so that no answer is shared."""
    arms = {"pre": [0.1 * number, 0.2 * number]}
    spec = make_spec(arms=arms, policy={"kind": "uniform", "budget": 2 * IMAGES}, scoring=scoring)
    return make_round(spec, number, spec.settings, IMAGES)


@pytest.fixture
def journal() -> FakeJournal:
    return FakeJournal()


@pytest.fixture
def pool() -> FlakyPool:
    return FlakyPool()


@pytest.fixture
def controller(journal: FakeJournal, pool: FlakyPool) -> Controller:
    return Controller(journal, pool, range(IMAGES))  # type: ignore[arg-type]


def test_a_round_is_played_to_its_end_with_a_bounded_window(
    controller: Controller, journal: FakeJournal, pool: FlakyPool
) -> None:
    assert controller.play(1, new_round(1))
    assert len(journal.pulls) == 2 * IMAGES
    assert pool.most <= WINDOW


def test_an_image_is_left_out_at_its_third_failure(
    controller: Controller, journal: FakeJournal, pool: FlakyPool
) -> None:
    pool.fails.update({3: FAILURES - 1, 5: FAILURES})
    round_ = new_round(1)
    assert controller.play(1, round_)
    assert journal.failures == {3: FAILURES - 1, 5: FAILURES}
    assert journal.quarantined == [5]
    assert {pull.position for pull in journal.pulls} == set(range(IMAGES)) - {5}


def test_an_image_whose_worker_is_lost_too_often_is_left_out(
    controller: Controller, journal: FakeJournal, pool: FlakyPool
) -> None:
    pool.losses.update({2: LOSSES, 4: LOSSES - 1})
    assert controller.play(1, new_round(1))
    assert journal.quarantined == [2]


def test_failures_of_a_round_do_not_count_in_the_next(
    controller: Controller, journal: FakeJournal, pool: FlakyPool
) -> None:
    pool.fails.update(dict.fromkeys(range(1, 5), FAILURES - 1))
    pool.losses[6] = LOSSES - 1
    assert controller.play(1, new_round(1))
    pool.fails[0] = 1  # before any image of the round is scored: no sign that the job is bad
    pool.fails[2] = 1
    pool.losses[6] = 1
    assert controller.play(2, new_round(2))
    assert journal.quarantined == []
    assert journal.failures == {0: 1, 1: 2, 2: 1, 3: 2, 4: 2}


def test_where_the_first_images_all_fail_the_job_is_bad(controller: Controller, pool: FlakyPool) -> None:
    pool.fails.update(dict.fromkeys(range(IMAGES), FAILURES))
    with pytest.raises(ScoringError, match="the first 3 images all failed, so it is not the images: no answer"):
        controller.play(1, new_round(1))


def test_a_late_answer_of_another_round_is_not_taken(controller: Controller, journal: FakeJournal) -> None:
    class Late(FlakyPool):
        def collect(self, timeout: float) -> list[Answer]:
            stray = Task(0, 0, new_round(9).bandits[0].arms.settings)
            return [Scored(stray, FakeScorer().score(0, stray.settings)), *super().collect(timeout)]

    late = Controller(journal, Late(), range(IMAGES))  # type: ignore[arg-type]
    assert late.play(1, new_round(1))


def test_a_wish_to_stop_ends_the_round_early_and_progress_is_reported(journal: FakeJournal, pool: FlakyPool) -> None:
    said: list[Progress] = []
    ticks: Iterator[int] = iter(range(4))
    controller = Controller(
        journal,  # type: ignore[arg-type]
        pool,
        range(IMAGES),
        stop=lambda: next(ticks, None) is None,
        report=said.append,
    )
    assert not controller.play(1, new_round(1))
    assert 0 < len(journal.pulls) < 2 * IMAGES
    assert said[-1].number == 1
    assert said[-1].pulls == {"pre": len(journal.pulls)}
    assert said[-1].leading["pre"][0] in (0.1, 0.2)


@pytest.mark.parametrize("scoring", ["all", "asked"])
def test_progress_goes_from_the_first_image_to_the_last_however_images_are_scored(
    journal: FakeJournal, pool: FlakyPool, scoring: str
) -> None:
    said: list[Progress] = []
    pool.fails[3] = FAILURES
    assert Controller(journal, pool, range(IMAGES), report=said.append).play(1, new_round(1, scoring))  # type: ignore[arg-type]
    scored = [progress.scored for progress in said]
    assert scored == sorted(scored)
    assert set(scored) == set(range(IMAGES + 1))
    assert journal.quarantined == [3]


@pytest.mark.parametrize("scoring", ["all", "asked"])
def test_progress_of_a_round_that_is_brought_back_begins_with_what_was_known(
    journal: FakeJournal, pool: FlakyPool, scoring: str
) -> None:
    said: list[Progress] = []
    round_ = new_round(1, scoring)
    known = np.full(round_.table.values.shape, np.nan)
    known[1:3, 0] = 0.9
    round_.restore([position == 5 for position in range(IMAGES)], known)
    Controller(journal, pool, range(IMAGES), report=said.append, stop=lambda: True).play(1, round_)  # type: ignore[arg-type]
    assert said[-1].scored == 3
