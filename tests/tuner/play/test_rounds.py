"""What every way of playing a round has in common, and what each asks workers for."""

import numpy as np
import pytest

from tests.tuner.fakes import FakeScorer, make_spec
from tuner.play.ahead import AheadRound
from tuner.play.asked import AskedRound
from tuner.play.batches import BatchRound
from tuner.play.rounds import NewIou, Round
from tuner.play.search import make_round
from tuner.spec.job import JobSpec

SCORER = FakeScorer()
TPE = {"kind": "optuna-tpe", "budget": 40, "trial_images": 5, "batch": 4}
WAYS = {
    AheadRound: make_spec(),
    AskedRound: make_spec(scoring="asked"),
    BatchRound: make_spec(search="joint", policy=TPE),
}


def new_round(spec: JobSpec, images: int = 10) -> Round:
    return make_round(spec, 1, spec.settings, images)


def play(round_: Round, steps: int = 10_000) -> int:
    """Answer what the round wants, at most so many images; returns how many pulls were made."""
    made = len(round_.advance())
    for _ in range(steps):
        asked = next(iter(round_.wanted(1, 1)), None)
        if asked is None:
            break
        round_.take(*asked, SCORER.score(*asked))
        made += len(round_.advance())
    return made


@pytest.mark.parametrize("way", WAYS)
def test_the_job_says_how_its_rounds_are_played(way: type[Round]) -> None:
    assert type(new_round(WAYS[way])) is way


@pytest.mark.parametrize("way", WAYS)
def test_a_round_that_gets_what_it_wants_comes_to_its_end(way: type[Round]) -> None:
    round_ = new_round(WAYS[way])
    made = play(round_)
    assert round_.done
    assert made == sum(one.bandit.trials for one in round_.bandits)
    assert not list(round_.wanted(10, 10))


@pytest.mark.parametrize("way", WAYS)
def test_no_more_images_are_wanted_than_there_is_room_for(way: type[Round]) -> None:
    for room in range(4):
        assert len(list(new_round(WAYS[way]).wanted(room, 10))) <= room


@pytest.mark.parametrize("way", WAYS)
def test_a_quarantined_image_is_neither_wanted_nor_pulled(way: type[Round]) -> None:
    round_ = new_round(WAYS[way])
    round_.quarantine(0)
    asked = [position for position, _ in round_.wanted(4, 4)]
    assert asked
    assert 0 not in asked


@pytest.mark.parametrize("way", WAYS)
def test_pulls_that_are_replayed_bring_the_round_back(way: type[Round]) -> None:
    spec = WAYS[way]
    whole, parts = new_round(spec), new_round(spec)
    pulls = []
    for _ in range(6):
        asked = next(iter(whole.wanted(1, 1)))
        whole.take(*asked, SCORER.score(*asked))
        pulls += whole.advance()
    parts.restore([False] * 10, whole.table.ious)
    for pull in pulls:
        parts.replay(pull)
    assert pulls
    for one, other in zip(whole.bandits, parts.bandits, strict=True):
        assert one.bandit.pulls.tolist() == other.bandit.pulls.tolist()
        assert one.bandit.successes.tolist() == other.bandit.successes.tolist()


def test_a_score_counts_for_every_arm_that_traces_with_the_same_settings_and_once() -> None:
    round_ = new_round(make_spec())
    base = make_spec().settings
    assert round_.take(0, [base], [0.75]) == [NewIou(0, 2, 0.75), NewIou(1, 2, 0.75), NewIou(2, 2, 0.75)]
    assert round_.take(0, [base], [0.5]) == []
    assert np.nanmin(round_.table.ious) == 0.75


def test_ahead_asks_for_all_arms_and_asked_for_the_one_that_was_chosen() -> None:
    ((_, ahead),) = new_round(make_spec()).wanted(1, 1)
    ((_, asked),) = new_round(make_spec(scoring="asked")).wanted(1, 1)
    assert len(ahead) == 7, "nine arms, the base three times"
    assert asked == (make_spec().settings,)


def test_a_race_asks_no_more_for_arms_that_are_beaten() -> None:
    spec = make_spec(arms={"pre": [0.0, 1.0]}, policy={"kind": "race", "budget": 200})
    round_ = new_round(spec, images=100)
    for position in range(10):
        round_.take(position, [spec.settings.changed({"pre": pre}) for pre in (0.0, 1.0)], [0.0, 1.0])
    round_.advance()
    assert round_.done
    assert round_.verdicts()[0].outcome == "decided"
