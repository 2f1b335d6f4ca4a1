"""What every way of playing a round has in common, and what each asks workers for."""

import numpy as np
import pytest

from tests.tuner.fakes import FakeScorer, make_spec
from tracer import Settings
from tuner.play.ahead import AheadRound
from tuner.play.asked import AskedRound
from tuner.play.batches import BatchRound
from tuner.play.rounds import BanditRound, NewValue
from tuner.play.search import make_round
from tuner.policies import Bandit
from tuner.spec.job import JobSpec

SCORER = FakeScorer()
TPE = {"kind": "optuna-tpe", "budget": 40, "trial_images": 5, "batch": 4}
WAYS = {
    AheadRound: make_spec(),
    AskedRound: make_spec(scoring="asked"),
    BatchRound: make_spec(search="joint", policy=TPE),
}


def new_round(spec: JobSpec, images: int = 10) -> BanditRound:
    return make_round(spec, 1, spec.settings, images)


def play(round_: BanditRound, steps: int = 10_000) -> int:
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
def test_the_job_says_how_its_rounds_are_played(way: type[BanditRound]) -> None:
    assert type(new_round(WAYS[way])) is way


@pytest.mark.parametrize("way", WAYS)
def test_a_round_that_gets_what_it_wants_comes_to_its_end(way: type[BanditRound]) -> None:
    round_ = new_round(WAYS[way])
    made = play(round_)
    assert round_.done
    assert made == sum(one.bandit.pulled for one in round_.bandits)
    assert not list(round_.wanted(10, 10))


@pytest.mark.parametrize("way", WAYS)
def test_no_more_images_are_wanted_than_there_is_room_for(way: type[BanditRound]) -> None:
    for room in range(4):
        assert len(list(new_round(WAYS[way]).wanted(room, 10))) <= room


@pytest.mark.parametrize("way", WAYS)
def test_a_quarantined_image_is_neither_wanted_nor_pulled(way: type[BanditRound]) -> None:
    round_ = new_round(WAYS[way])
    round_.quarantine(0)
    asked = [position for position, _ in round_.wanted(4, 4)]
    assert asked
    assert 0 not in asked


@pytest.mark.parametrize("way", WAYS)
def test_pulls_that_are_replayed_bring_the_round_back(way: type[BanditRound]) -> None:
    spec = WAYS[way]
    whole, parts = new_round(spec), new_round(spec)
    pulls = []
    for _ in range(6):
        asked = next(iter(whole.wanted(1, 1)))
        whole.take(*asked, SCORER.score(*asked))
        pulls += whole.advance()
    parts.restore([False] * 10, whole.table.values)
    for pull in pulls:
        parts.replay(pull)
    assert pulls
    for one, other in zip(whole.bandits, parts.bandits, strict=True):
        assert one.bandit.pulls.tolist() == other.bandit.pulls.tolist()
        assert one.bandit.successes.tolist() == other.bandit.successes.tolist()


def test_a_score_counts_for_every_arm_that_traces_with_the_same_settings_and_once() -> None:
    round_ = new_round(make_spec())
    base = make_spec().settings
    assert round_.take(0, [base], [0.75]) == [NewValue(0, 2, 0.75), NewValue(1, 2, 0.75), NewValue(2, 2, 0.75)]
    assert round_.take(0, [base], [0.5]) == []
    assert np.nanmin(round_.table.values) == 0.75


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


def test_a_race_asks_with_the_same_settings_until_an_arm_is_out_and_works_out_none_without_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are over a thousand in a joint search: to gather them at every turn of the loop took 10 ms."""
    spec = make_spec(arms={"pre": [0.0, 0.5, 1.0]}, policy={"kind": "race", "budget": 300})
    round_ = new_round(spec, images=100)
    ((_, first),) = round_.wanted(1, 20)
    ((_, second),) = round_.wanted(1, 20)
    assert second is first
    for position in range(12):
        round_.take(position, first, [0.0 if one.alpha.pre == 0 else 0.9 for one in first])
    round_.advance()
    ((_, third),) = round_.wanted(1, 20)
    assert set(first) - set(third) == {spec.settings.changed({"pre": 0.0})}

    def alive(_: Bandit) -> None:
        raise AssertionError("looked for open arms")

    monkeypatch.setattr(Bandit, "alive", property(alive))
    assert list(round_.wanted(0, 20)) == []


def asked_round(images: int, arms: list[float], **policy: object) -> tuple[BanditRound, list[Settings]]:
    """A round that scores what is asked for, over one setting, and what its arms trace with."""
    spec = make_spec(scoring="asked", arms={"pre": arms}, policy={"kind": "uniform", "budget": 1000} | policy)
    return new_round(spec, images), [spec.settings.changed({"pre": value}) for value in arms]


def test_an_answer_that_comes_early_waits_for_those_to_earlier_images() -> None:
    round_, (arm,) = asked_round(5, [1.0])
    assert [position for position, _ in round_.wanted(4, 4)] == [0, 1, 2, 3]
    for position in (3, 1):
        round_.take(position, [arm], [0.9])
        assert round_.advance() == []
    round_.take(0, [arm], [0.9])
    assert [pull.position for pull in round_.advance()] == [0, 1]
    round_.quarantine(2)
    assert [pull.position for pull in round_.advance()] == [3]


@pytest.mark.parametrize("seed", range(5))
def test_every_arm_is_pulled_in_the_order_of_the_permutation_whatever_the_order_of_answers(seed: int) -> None:
    round_, _ = asked_round(12, [0.0, 0.5, 1.0], kind="ucb1")
    rng = np.random.default_rng(seed)
    asked: list[tuple[int, tuple[Settings, ...]]] = []
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    while not round_.done:
        asked += round_.wanted(6 - len(asked), 6)
        if asked:
            position, settings = asked.pop(int(rng.integers(len(asked))))
            if position == 4:
                round_.quarantine(4)
                asked = [one for one in asked if one[0] != 4]
            else:
                round_.take(position, settings, SCORER.score(position, settings))
        for pull in round_.advance():
            seen[pull.arm].append(pull.position)
    assert all(sorted(positions) == positions for positions in seen.values())
    assert [[position for position in positions if position != 4] for positions in seen.values()] == [
        [position for position in range(12) if position != 4]
    ] * 3


def test_an_arm_that_saw_an_image_before_it_was_left_out_sees_all_the_others_too() -> None:
    """Nine arms saw eight of nine usable images and were called known: one of them only, in this smaller case."""
    round_, (first, second) = asked_round(3, [0.0, 1.0])
    list(round_.wanted(2, 2))
    round_.take(0, [first], [0.9])
    round_.advance()
    round_.quarantine(0)  # for the second arm it failed three times
    while not round_.done:
        round_.advance()
        for position, settings in list(round_.wanted(1, 1)):
            round_.take(position, settings, [0.9 if one == second else 0.1 for one in settings])
    (one,) = round_.bandits
    assert one.bandit.usable_pulls.tolist() == [2, 2]
    assert one.bandit.pulls.tolist() == [3, 2]
    (end,) = round_.verdicts()
    assert (end.winner, end.confidence) == (1, 1.0)
