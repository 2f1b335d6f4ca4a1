"""Tables that hold methods against one another: means, pairs, draws, and what is said of them."""

import math

import numpy as np
import pytest

from experiments.compare import Comparison, Measure, only, paired_difference, verdict
from experiments.result import Measured, Result
from experiments.sampling import Sample
from tuner.datasets import ImageList

HIT = Measure("hit", "whether it hits", counts=True)
SIZE = Measure("size", "how large", scale=1, better=-1)


def table(draws: list[list[int]] | None = None, **values: list[float]) -> Measured:
    (count,) = {len(each) for each in values.values()}
    images = [None] * count
    sample = Sample(images, [np.array(draw) for draw in draws or [list(range(count))]])  # type: ignore[arg-type]
    found = {(name,): {"hit": np.array(each, dtype=float)} for name, each in values.items()}
    return Comparison("t", {"method": "who"}, [HIT], found, sample, next(iter(values)), 0).table()


def test_difference_is_over_the_same_images() -> None:
    first, second = table(one=[1, 1, 0, 0], two=[1, 1, 1, 1]).rows
    assert (first["hit"], second["hit"], second["hit_difference"]) == (50, 100, 50)
    assert math.isnan(first["hit_difference"])
    assert second["hit_low"] < 0 < second["hit_high"] == 50


def test_images_without_a_value_are_left_out_of_pairs_too() -> None:
    first, second = table(one=[1, math.nan, 0, 0], two=[1, 1, math.nan, 1]).rows
    assert (first["images"], second["images"]) == (3, 3)
    assert second["hit_difference"] == pytest.approx(50)


def test_no_value_at_all_gives_empty_cells() -> None:
    _, second = table(one=[1, 0], two=[math.nan, math.nan]).rows
    assert second["images"] == 0
    assert math.isnan(second["hit"])


def test_draws_are_averaged_and_their_spread_is_shown() -> None:
    shown = table([[0, 1], [2, 3]], one=[1, 1, 1, 0])
    (row,) = shown.rows
    assert (row["hit"], row["images"]) == (75, 4)
    assert row["hit_between"] == pytest.approx(np.std([100, 50], ddof=1))
    assert "Means of 2 draws" in shown.notes[-1]
    assert set(row) == set(shown.columns)


def test_rows_are_compared_with_what_is_read_alike() -> None:
    values = {("a", "x"): 1.0, ("a", "y"): 3.0, ("b", "y"): 7.0, ("b", "z"): 7.0}
    found = {key: {"size": np.array([value, value])} for key, value in values.items()}
    sample = Sample([None, None], [np.arange(2)])  # type: ignore[list-item]
    rows = Comparison("t", {"method": "who", "kind": "which"}, [SIZE], found, sample, "a", 0).table().rows
    assert [row["size_difference"] for row in rows[2:]] == [4, 6]


def test_verdict_says_whether_two_can_be_told_apart() -> None:
    near = verdict(table(one=[1, 1, 0, 0], two=[1, 1, 1, 0]), HIT, "hits best")
    assert near.startswith("two hits best: 75% of 4 images, one 50%; +25 (95% interval")
    assert near.endswith("is too little to tell the two apart on so few images.")
    far = verdict(table(one=[0] * 20, two=[1] * 20), HIT, "hits best")
    assert far.endswith("is a difference.")
    assert verdict(table(one=[1, 1], two=[1, 0]), HIT, "hits best") == "one hits best: 100% of 2 images."


def test_verdict_names_all_who_tie() -> None:
    values = {"one": [1.0, 0, 0, 0], "two": [1.0, 1, 0, 0], "three": [0, 0, 1.0, 1], "four": [1.0, 1, 0, 0]}
    assert verdict(table(**values), HIT, "hits best") == "two, three and four tie: 50% of 4 images, and none hits best."


def test_no_interval_is_shown_where_no_image_differs() -> None:
    alike = table(one=[1, 1, 0, 0], two=[1, 1, 0, 0])
    assert alike.rows[1]["hit_difference"] == 0
    assert math.isnan(alike.rows[1]["hit_low"])
    assert alike.merged().rows[1]["hit difference"] == "+0 (no image differs)"


def test_all_rows_may_be_compared_with_one() -> None:
    hits = {("a", "points"): 0.0, ("a", "map > 0.5"): 1.0, ("b", "map > 0.2"): 0.0, ("c", "map > 0.5"): 1.0}
    found = {key: {"hit": np.array([value, 1, 1])} for key, value in hits.items()}
    sample = Sample([None, None, None], [np.arange(3)])  # type: ignore[list-item]
    keys, against = {"method": "who", "box": "which"}, ("a", "map > 0.5")
    shown = Comparison("t", keys, [HIT], found, sample, "a", 0, against=against).table()
    assert [row["hit_difference"] for row in shown.rows if row["method"] != "a"] == pytest.approx([-100 / 3, 0])
    assert shown.rows[0]["hit_difference"] == pytest.approx(-100 / 3)
    assert "nan" not in verdict(shown, HIT, "hits best")


def test_only_keeps_the_rows_asked_for() -> None:
    assert [row["method"] for row in only(table(one=[1], two=[0]), method="two").rows] == ["two"]


def test_a_person_reads_errors_and_intervals_beside_their_value() -> None:
    rows = table(one=[1, 1, 0, 0], two=[1, 1, 1, 1]).merged().rows
    assert rows[0] == {"method": "one", "images": 4, "hit": "50 ± 25", "hit difference": ""}
    assert rows[1]["hit difference"] == "+50 (-34.2 to +50)"


def test_seen_images_stand_in_every_table_and_in_the_verdict() -> None:
    result = Result("t", "One is best.", (table(one=[1], two=[0]), table(one=[1])))
    shown = result.with_seen({"one": 3})
    assert [row["seen"] for row in shown.rows] == [3, 0, 3]
    assert all("learned on up to 3" in each.notes[-1] for each in shown.tables)
    assert "learned on up to 3" in shown.verdict


def test_rows_of_several_tables_have_the_same_columns(bright_images: ImageList) -> None:
    other = Measured("u", [{"size": 1}], columns={"size": "how large"})
    rows = Result("t", "", (table(one=[1]), other)).rows
    assert [row["table"] for row in rows] == ["t", "u"]
    assert rows[0].keys() == rows[1].keys()


def test_a_difference_has_no_interval_where_no_image_differs() -> None:
    none = paired_difference(np.zeros(3), None)
    assert none[0] == 0
    assert math.isnan(none[1])
    assert paired_difference(np.array([1.0, 0.0]), None)[0] == 0.5
    table = Measured("t", [{"method": "one", "difference": none[0], "low": none[1], "high": none[2]}])
    assert table.merged().rows == [{"method": "one", "difference": "+0 (no image differs)"}]
