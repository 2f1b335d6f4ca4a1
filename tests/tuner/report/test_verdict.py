"""What a report concludes, in words."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from storage.rows import BanditRow, JobRow
from tuner.report.verdict import conditions, judge

JOB = JobRow(
    id=1,
    name="job",
    state="finished",
    outcome="decided",
    live=False,
    owner=None,
    stop_requested=False,
    seed=0,
    threshold=0.5,
    images=150,
    held_out=50,
    checked=50,
    quarantined=0,
    pulls=900,
    created=datetime(2026, 1, 1, tzinfo=UTC),
    started=None,
    ended=None,
    spec={"architecture": "resnet18", "reward": {"kind": "iou", "at": 0.5}},
    dataset_sha256=None,
    pixels_sha256=None,
    checkpoint_sha256=None,
    parameters_sha256=None,
    code_sha256=None,
    versions={},
    baseline={},
)
BANDIT = BanditRow(1, 1, "depth", {}, "exhausted", 0, 16, 0.95, (16, 8), 900, 500)


def check(difference: float, low: float, high: float) -> dict[str, Any]:
    shares = {"base": 0.5, "learned": 0.5 + difference, "whole_image": 0.45}
    return {"images": 50, **shares, "difference": difference, "interval": [low, high]}


@pytest.mark.parametrize(
    ("interval", "headline"),
    [
        ((0.2, 0.05, 0.3), "Learning helped."),
        ((-0.2, -0.3, -0.05), "Learning did harm."),
        ((0.06, -0.02, 0.14), "Whether learning helped is open."),
        ((0.0, -0.1, 0.1), "Whether learning helped is open."),
        ((0.0, 0.0, 0.0), "Base and learned settings do not differ."),
    ],
)
def test_the_interval_decides_the_headline(interval: tuple[float, float, float], headline: str) -> None:
    verdict = judge(JOB, [BANDIT], check(*interval), changed=True)
    assert verdict.headline == headline
    assert "On 50 images that the search never saw" in verdict.paragraph
    assert "the whole image, which explains nothing, succeeds on 45%" in verdict.paragraph
    assert "its IOU is 0.5 or more" in verdict.paragraph


def test_signs_of_points_are_told() -> None:
    said = judge(JOB, [BANDIT], check(0.06, -0.025, 0.14), changed=True).paragraph
    assert "+6 points, with a 95% interval from −2.5 to +14 points" in said


def test_an_interval_without_a_width_is_no_interval() -> None:
    mean = {"base": 0.6, "learned": 0.6, "difference": 0.0, "interval": [0.0, 0.0]}
    found = {**check(0, 0, 0), "mean_iou": mean}
    said = judge(JOB, [BANDIT], found, changed=True).paragraph
    assert "on the very same ones" in said
    assert "The mean IOU is 0.600 with both: it is the same on each of these images." in said
    assert "0 to 0" not in said
    assert "none of these 50 is one" in " ".join(conditions(JOB, [], found, []))
    gains = [{"iou": 0.5, "low": 0.0, "high": 0.0}, {"iou": 0.3, "low": 0.1, "high": 0.2}]
    assert "no image that differs at the job's IOU of 0.5, but a gain at an IOU of 0.3" in " ".join(
        conditions(JOB, [], found, gains)
    )


def test_settings_that_did_not_change_gained_nothing() -> None:
    verdict = judge(JOB, [BANDIT], check(0, 0, 0), changed=False)
    assert verdict.headline == "The search chose the settings it began with."


def test_a_job_in_which_nothing_succeeded_has_no_winner_to_speak_of() -> None:
    verdict = judge(JOB, [replace(BANDIT, successes=0)], check(0, 0, 0), changed=True)
    assert verdict.headline == "Nothing succeeded."
    assert "None of the 900 pulls succeeded" in verdict.paragraph
    assert "a success needs 0.5" in verdict.paragraph
    assert "check that the boxes belong to the images" in verdict.paragraph


def test_a_job_without_a_check_has_no_verdict() -> None:
    kept_none = judge(replace(JOB, held_out=0, checked=0), [BANDIT], {}, changed=True)
    assert kept_none.headline == "What learning gained is not known."
    running = judge(replace(JOB, state="running", live=True, checked=20), [BANDIT], {}, changed=True)
    assert running.headline == "There is no verdict yet: the job is running."
    assert "20 of the 50 images" in running.paragraph


def test_more_images_settle_what_is_open() -> None:
    """At 50 images the interval reaches 12 points below the gain of 6: four times as many halve it."""
    (said,) = (one for one in conditions(JOB, [], check(0.06, -0.06, 0.18), []) if one.startswith("More images"))
    assert "about 200 images" in said
    assert "in place of 50" in said


def test_what_is_settled_says_how_far_it_is_from_open() -> None:
    for interval in ((0.2, 0.05, 0.3), (-0.2, -0.3, -0.05)):
        (said,) = (one for one in conditions(JOB, [], check(*interval), []) if one.startswith("More images"))
        assert "ends 5 points from 0" in said


@pytest.mark.parametrize(
    ("interval", "said"),
    [((0.2, 0.4), "the verdict is the same at an IOU of 0.7"), ((-0.4, -0.2), "but a loss at an IOU of 0.7")],
)
def test_other_demands_on_boxes_are_looked_at(interval: tuple[float, float], said: str) -> None:
    rows = [{"iou": 0.5, "low": 0.1, "high": 0.3}, {"iou": 0.7, "low": interval[0], "high": interval[1]}]
    assert any(said in one for one in conditions(JOB, [], check(0.2, 0.1, 0.3), rows))


def test_arms_that_may_be_best_are_named_where_there_are_several() -> None:
    assert any("2 arms may be best" in one for one in conditions(JOB, [BANDIT], {}, []))
    alone = replace(BANDIT, may_be_best=(16,))
    assert not any("may be best" in one for one in conditions(JOB, [alone], {}, []))
