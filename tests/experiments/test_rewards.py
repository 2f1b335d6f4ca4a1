"""Rewards held against each other, on tables that are small enough to count."""

from pathlib import Path

import numpy as np
import pytest

from experiments.errors import SettingError
from experiments.rewards import REWARDS, Table, fill, grid, interleaved, reach, transfer
from tracer import Model, Tracer
from tuner.datasets import ImageList
from tuner.rewards import Scene, make_judge

ARMS = grid(("image",), ("0", "16"), ("0.2", "mass 0.6"))


def table(good: str, images: int = 40) -> Table:
    """Every reward succeeds on the last arm only; the one named on the first only."""
    values = {name: np.zeros((images, 4)) for name in REWARDS}
    for name, found in values.items():
        found[:, 0 if name == good else -1] = 1.0
    return Table(tuple(map(str, range(images))), ("a", "b", "c", "d"), values)


def test_candidates_are_read_as_in_a_job_file() -> None:
    assert [(one["depth"], one["spread"], one["cut"]) for one in ARMS.candidates] == [
        ("image", 0, 0.2),
        ("image", 0, "mass 0.6"),
        ("image", 16, 0.2),
        ("image", 16, "mass 0.6"),
    ]
    with pytest.raises(SettingError, match="cut"):
        grid(("image",), ("0",), ("mass 7",))


def test_a_table_is_made_in_pieces_and_holds_what_the_rewards_give(
    model: Model, bright_images: ImageList, tmp_path: Path
) -> None:
    images = bright_images.images
    *_, first = fill(model, images[:1], ARMS)
    first.save(tmp_path / "table.npz")
    *_, whole = fill(model, images, ARMS, Table.load(tmp_path / "table.npz"))
    assert whole.images == tuple(image.id for image in images)
    image = images[2]
    readings = Tracer(model).readings([image.open()], ARMS.settings)[0]
    for name, compared in REWARDS.items():
        expected = make_judge(compared.reward, model)(Scene(image, image.open(), model), readings)
        np.testing.assert_array_equal(whole.values[name][2], expected)
    with pytest.raises(SettingError, match="other images or arms"):
        next(fill(model, images[1:], ARMS, first))
    (tmp_path / "other.npz").write_text("none")
    with pytest.raises(SettingError, match="holds no table of rewards"):
        Table.load(tmp_path / "other.npz")


def test_a_choice_is_held_against_that_of_the_reward_that_judges() -> None:
    rows = transfer(table("insertion"), range(0, 40, 2), range(1, 40, 2), ARMS)
    of = {(row.judged_by, row.chosen_by): row for row in rows}
    assert len(of) == len(REWARDS) * (len(REWARDS) + 1)
    own = of["iou", "iou"]
    assert (own.arm, own.images, own.success, own.difference, own.low, own.high) == ("d", 20, 100, 0, 0, 0)
    other = of["iou", "insertion"]
    assert (other.arm, other.success, other.difference) == ("a", 0, -100)
    assert other.low == -100
    assert other.high < -60
    assert of["insertion", "iou"].difference == -100


def test_forward_passes_are_counted_until_the_choice_is_good_for_good() -> None:
    found = {(row.reward, row.policy): row for row in reach(table("iou"), ARMS, runs=3, seed=0)}
    uniform = found["confidence, box", "uniform"]
    assert 1 <= uniform.pulls <= 4
    assert uniform.forwards == 1 + 1 + 2  # explained once, seen whole, and with the two parts that differ
    assert found["iou", "uniform"].forwards == 1
    asked = found["confidence, box", "ucb1"]
    assert asked.forwards > asked.pulls  # each pull explains anew
    assert found["insertion", "race"].of_all < 0.2


def test_halves_are_taken_in_turn(bright_images: ImageList) -> None:
    one, two, three = bright_images.images
    assert interleaved([one], [two]) == [one, two]
    with pytest.raises(ValueError, match="zip"):
        interleaved([one], [two, three])
