"""What a job file may say of its reward."""

from pathlib import Path

import pytest

from tuner.errors import SpecError
from tuner.spec.job import JobSpec, load_job
from tuner.spec.reward import stored_reward

LINES = "architecture: a\ndataset: {kind: digits}\npolicy: {kind: POLICY, budget: 22000}\nreward: "


def load(folder: Path, reward: str, policy: str = "ucb1", more: str = "") -> JobSpec:
    file = folder / "job.yaml"
    file.write_text(LINES.replace("POLICY", policy) + f"{reward}\n{more}")
    return load_job(file)


def mistake(folder: Path, reward: str, more: str = "") -> str:
    with pytest.raises(SpecError) as caught:
        load(folder, reward, more=more)
    return str(caught.value).removeprefix(f"{folder}/job.yaml")


def test_iou_has_a_short_form(tmp_path: Path) -> None:
    assert load(tmp_path, "{iou: 0.7}").reward == load(tmp_path, "{kind: iou, at: 0.7}").reward


@pytest.mark.parametrize("kind", ["iou", "pointing", "confidence", "insertion", "deletion"])
def test_a_kind_is_enough_and_is_stored_whole(tmp_path: Path, kind: str) -> None:
    spec = load(tmp_path, f"{{kind: {kind}}}")
    assert JobSpec.model_validate(spec.canonical()) == spec
    assert stored_reward(spec.canonical()) == spec.reward
    assert 0 < spec.reward.at <= 1


@pytest.mark.parametrize(
    ("reward", "policy", "scoring"),
    [
        ("iou", "ucb1", "all"),
        ("pointing", "ucb1", "all"),
        ("confidence", "ucb1", "asked"),
        ("insertion", "thompson", "asked"),
        ("confidence", "uniform", "all"),
        ("deletion", "race", "all"),
    ],
)
def test_values_that_cost_forwards_are_asked_for_singly_where_arms_are_left_out(
    tmp_path: Path, reward: str, policy: str, scoring: str
) -> None:
    assert load(tmp_path, f"{{kind: {reward}}}", policy).scoring == scoring
    assert load(tmp_path, f"{{kind: {reward}}}", policy, more="scoring: all\n").scoring == "all"


def test_files_are_found_from_the_job_file(tmp_path: Path) -> None:
    assert load(tmp_path, "{kind: agreement, weights: old.yaml}").reward.weights == tmp_path / "old.yaml"
    assert load(tmp_path, "{kind: 'mine.py:area', least: 0.2}").reward.kind == f"{tmp_path}/mine.py:area"


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("{kind: confidnce}", ":4: reward: unknown kind 'confidnce' (nearest: confidence); write one of iou, pointing"),
        ("{at: 0.5}", ":4: reward: kind is missing; write kind: and one of iou, pointing, confidence"),
        ("{kind: confidence, keep: 3}", ":4: reward.keep: 3.0 is no share of the image to keep; write one between"),
        ("{kind: confidence, kep: 0.5}", ":4: reward.kep: unknown key (nearest: keep)"),
        ("{kind: insertion, steps: 0}", ":4: reward.steps: 0 is too small; write at least 1"),
        ("{kind: agreement}", ":4: reward.weights: the other explanation is not named; write either weights or"),
        ("{kind: 'mine.py:at'}", ":4: reward.kind: 'at' already names something else where results stand; call the"),
        ("{kind: 'mine:difference'}", ":4: reward.kind: 'difference' already names something else"),
        ("{kind: deletion, at: 2}", ":4: reward.at: 2.0 is no value to reach"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, reward: str, expected: str) -> None:
    assert mistake(tmp_path, reward).startswith(expected)


@pytest.mark.parametrize("reward", ["{iou: 0.5}", "{kind: pointing}"])
def test_a_folder_of_images_serves_no_reward_that_judges_by_boxes(tmp_path: Path, reward: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"architecture: a\ndataset: {{kind: folder, root: .}}\nreward: {reward}\n")
    with pytest.raises(SpecError, match=r":3: reward: (iou|pointing) judges by boxes, and a folder of images has none"):
        load_job(file)
    file.write_text("architecture: a\ndataset: {kind: folder, root: .}\n")
    with pytest.raises(SpecError, match=r"reward: iou judges by boxes"):
        load_job(file)
    file.write_text("architecture: a\ndataset: {kind: folder, root: .}\nreward: {kind: deletion}\ntarget: label\n")
    with pytest.raises(SpecError, match=r":4: target: a folder of images has no labels"):
        load_job(file)


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("{iou: 0.5}", "box {share} of the objects"),
        ("{kind: pointing}", "point at {share} of the objects"),
        (
            "{kind: confidence, keep: 0.3}",
            "leave the network as sure of its class, with the top 30% of the map alone, on {share} of the images",
        ),
        ("{kind: insertion, at: 0.4}", "reach a value of insertion of at least 0.4 on {share} of the images"),
    ],
)
def test_a_success_is_said_in_the_rewards_own_words(tmp_path: Path, reward: str, expected: str) -> None:
    assert load(tmp_path, reward).reward.success == expected
