"""Rewards held against each other, on tables that are small enough to count."""

import math
import sys

import numpy as np
import pytest

from experiments import pnpxai
from experiments.errors import ExperimentError, SettingError
from experiments.methods import Subject, alone, find_method
from experiments.rewards import (
    METHOD,
    POLICIES,
    REWARDS,
    Rewards,
    Table,
    grid,
    reach,
    reached,
    transfer,
    transferred,
)
from tracer import Alpha, Model, TraceConfig, Tracer
from tuner.datasets import ImageList
from tuner.rewards import Scene, make_judge

ARMS = grid(("image",), ("0", "16"), ("0.2", "mass 0.6"))


def table(good: str, images: int = 40) -> Table:
    """Every reward succeeds on the last arm only; the one named on the first only."""
    values = {name: np.zeros((images, 4)) for name in REWARDS}
    for name, found in values.items():
        found[:, 0 if name == good else -1] = 1.0
    return Table(("a", "b", "c", "d"), values)


def test_candidates_are_read_as_in_a_job_file() -> None:
    assert [(one["depth"], one["spread"], one["cut"]) for one in ARMS.candidates] == [
        ("image", 0, 0.2),
        ("image", 0, "mass 0.6"),
        ("image", 16, 0.2),
        ("image", 16, "mass 0.6"),
    ]
    with pytest.raises(SettingError, match="cut"):
        grid(("image",), ("0",), ("mass 7",))


def test_records_hold_what_the_rewards_give(model: Model, bright_images: ImageList) -> None:
    images, experiment = bright_images.images, Rewards(ARMS)
    subject = Subject(model, TraceConfig(), Alpha())
    records = experiment.record(experiment.look(subject, images), find_method(METHOD), alone(lambda batch, _: batch))
    assert len(records) == len(images)
    image = images[2]
    readings = Tracer(model).readings([image.open()], ARMS.settings)[0]
    for name, compared in REWARDS.items():
        expected = make_judge(compared.reward, model)(Scene(image, image.open(), model), readings)
        np.testing.assert_array_equal(records[2][name], expected)


def test_a_choice_is_held_against_that_of_the_reward_that_judges() -> None:
    rows = transfer(table("insertion"), 20, ARMS)
    of = {(row.judged_by, row.chosen_by): row for row in rows}
    assert len(of) == len(REWARDS) * (len(REWARDS) + 1)
    own = of["iou", "iou"]
    assert (own.arm, own.images, own.success, own.difference) == ("d", 20, 100, 0)
    assert math.isnan(own.low), "no image differs from itself"
    assert math.isnan(own.high)
    other = of["iou", "insertion"]
    assert (other.arm, other.success, other.difference) == ("a", 0, -100)
    assert other.low == -100
    assert other.high < -60
    assert of["insertion", "iou"].difference == -100


def test_forward_passes_are_counted_until_the_choice_is_good_for_good() -> None:
    found = {(row.reward, row.policy): row for row in reach(table("confidence, box"), ARMS, runs=3, seed=0)}
    uniform = found["confidence, box", "uniform"]
    assert 1 <= uniform.pulls <= 4
    assert uniform.forwards == 1 + 1 + 2  # explained once, seen whole, and with the two parts that differ
    assert found["iou", "uniform"].forwards == 1
    asked = found["confidence, box", "ucb1"]
    assert asked.forwards > asked.pulls  # each pull explains anew
    assert found["insertion", "race"].of_all < 0.2


def test_verdicts_name_the_best() -> None:
    told = transferred(transfer(table("insertion"), 20, ARMS))
    assert "judged by iou on 20 other images" in told.verdict.lower()
    assert "succeed on 100%" in told.verdict
    assert len(told.rows) == len(REWARDS) * (len(REWARDS) + 1)
    counted = reached(list(reach(table("iou"), ARMS, runs=2, seed=0)))
    assert "fewest forward passes" in counted.verdict
    assert len(counted.rows) == len(REWARDS) * len(POLICIES)


class Best:
    """In PnPXAI's place: takes the arm with the highest mean value of the images it is given."""

    def best(self, values: np.ndarray, _: object, *, seed: int) -> int:
        return int(values.mean(0).argmax())


EQUAL = Table(("a", "b", "c", "d"), {name: np.ones((40, 4)) for name in REWARDS})


def test_pnpxai_is_given_as_many_images_as_the_race_has_forward_passes_for() -> None:
    rows = list(pnpxai.beside(Best(), EQUAL, 20, ARMS, [40], runs=2, seed=0))
    images = {(row.reward, row.who): row.images for row in rows}
    assert len(images) == len(rows) == 3 * len(REWARDS)
    # Nothing but explanations: one an arm for PnPXAI, one for all arms of the race.
    assert images["iou", pnpxai.BATCH] == 40 // 4
    assert images["iou", pnpxai.RACE] == 20, "there are no more"
    # Two passes an image beside: as it is, and the one part of it that all arms keep.
    assert images["confidence, box", pnpxai.BATCH] == 40 // (4 + 2)
    assert images["confidence, box", pnpxai.RACE] == 40 // (1 + 2)
    for row in rows:
        assert (row.success, row.difference, row.arms, row.runs) == (100, 0, 1, 2)
        assert math.isnan(row.low), "no image differs"
    assert "behind the race's choice on other images in 0 of 12 comparisons" in pnpxai.compared(rows).verdict


def test_what_pays_for_no_image_is_left_out_and_one_image_is_told_once() -> None:
    rows = list(pnpxai.beside(Best(), EQUAL, 20, ARMS, [5], runs=2, seed=0))
    assert {(row.reward, row.who) for row in rows} == {
        (name, who) for name in ("iou", "pointing") for who in (pnpxai.RACE, pnpxai.ONE)
    }


def test_pnpxai_takes_the_arm_with_the_highest_mean() -> None:
    pytest.importorskip("pnpxai")
    values = np.random.default_rng(0).random((10, 4))
    assert pnpxai.Optimiser.load().best(values, ARMS, seed=0) == values.mean(0).argmax()


def test_pnpxai_that_is_not_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pnpxai", None)
    with pytest.raises(ExperimentError, match=r"pip install pnpxai==0\.1\.3"):
        pnpxai.Optimiser.load()
