"""What each reward gives."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.tuner.rewards.conftest import SIDE, Bright, reading
from tracer import Model, Preprocessing, Settings, Tracer, Weights
from tracer.errors import FactoryError, WeightsError
from tracer.reading import Reading
from tuner.datasets import LabelledImage
from tuner.datasets.image import ImageList
from tuner.errors import ScoringError
from tuner.rewards import Judge, Scene, Values, make_judge
from tuner.rewards.judge import trivial_value
from tuner.spec.reward import Reward, stored_reward
from tuner.workers.scoring import Scorer

WHOLE = (0.0, 0.0, 64.0, 64.0)
RIGHT = (0.0, 0.0, 32.0, 32.0)
WRONG = (32.0, 32.0, 64.0, 64.0)
UPSIDE_DOWN = np.add.outer(np.arange(8.0), np.arange(8.0)) / 14


def make(**values: object) -> Reward:
    return stored_reward({"reward": values})


def judged(scene: Scene, readings: Sequence[Reading], **values: object) -> list[float]:
    found: list[float] = make_judge(make(**values), scene.model)(scene, readings).tolist()
    return found


def test_iou_is_that_of_the_box(scene: Scene) -> None:
    assert judged(scene, [reading(RIGHT), reading(WHOLE), reading(WRONG)], kind="iou") == [1.0, 0.25, 0.0]
    assert trivial_value(make(kind="iou"), scene.image) == 0.25


def test_pointing_is_where_the_map_is_highest(scene: Scene) -> None:
    nowhere = reading(WRONG, np.zeros((8, 8)))
    values = judged(scene, [reading(WRONG), reading(RIGHT, UPSIDE_DOWN), nowhere], kind="pointing")
    assert values == [1.0, 0.0, 0.0]
    assert trivial_value(make(kind="pointing"), scene.image) == 0.0  # half-open: the middle is just outside


def test_confidence_holds_the_box_against_the_whole_image(scene: Scene, network: Bright) -> None:
    right, whole, wrong = judged(scene, [reading(RIGHT), reading(WHOLE), reading(WRONG)], kind="confidence")
    assert whole == 0.5  # exactly: what is left is the same image
    assert right == pytest.approx(0.5, abs=1e-6)
    assert wrong < 0.2
    assert network.seen == 3


def test_confidence_of_a_share_of_the_image_is_that_of_the_maps_top(scene: Scene) -> None:
    corner = reading(WHOLE, np.pad(np.ones((4, 4)), ((0, 4), (0, 4))))
    values = judged(scene, [corner, reading(WHOLE, UPSIDE_DOWN)], kind="confidence", keep=0.25)
    assert values[0] == pytest.approx(0.5, abs=1e-6)
    assert values[1] < 0.2


@pytest.mark.parametrize("kind", ["insertion", "deletion"])
def test_areas_are_those_of_a_slow_loop(scene: Scene, kind: str) -> None:
    steps, heat = 8, np.random.default_rng(1).random((8, 8))
    order = np.argsort(-heat.ravel())
    curve = []
    cover = scene.on_blur.cover if kind == "insertion" else torch.zeros_like(scene.inputs)
    for step in range(steps + 1):
        changed = scene.inputs.clone() if kind == "deletion" else cover.clone()
        for cell in order[: step * 8]:
            row, column = divmod(int(cell), 8)
            place = (slice(None), slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4))
            changed[place] = (cover if kind == "deletion" else scene.inputs)[place]
        curve.append(float(scene.model.scores(changed[None]).softmax(1)[0, 1]))
    area = sum((one + next_) / 2 for one, next_ in pairwise(curve)) / steps
    (value,) = judged(scene, [reading(WHOLE, heat)], kind=kind, steps=steps)
    assert value == pytest.approx(area if kind == "insertion" else 1 - area, abs=1e-6)


@pytest.mark.parametrize("kind", ["insertion", "deletion"])
def test_areas_prefer_the_map_that_finds_the_evidence(scene: Scene, network: Bright, kind: str) -> None:
    good, bad = judged(scene, [reading(WRONG), reading(RIGHT, UPSIDE_DOWN)], kind=kind, steps=4)
    assert good > bad
    assert network.seen <= 2 + 2 * 3


def small() -> Model:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    return Model("small", nn.Sequential(*layers).eval(), Preprocessing(SIDE, SIDE))


def noise() -> LabelledImage:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8))
    return LabelledImage("noise", 0, np.empty((0, 4)), 48, 40, picture.copy)


@pytest.mark.parametrize("by", ["box", "map"])
def test_agreement_with_the_same_settings_is_whole(tmp_path: Path, by: str) -> None:
    model, settings = small(), Settings().changed({"box": "patch", "spread": 8})
    file = tmp_path / "before.yaml"
    Weights("small", settings.alpha, {}, settings.config).save(file)
    scorer = Scorer(
        ImageList((noise(),)), model, Tracer(model), make_judge(make(kind="agreement", weights=file, by=by), model)
    )
    same, other = scorer.score(0, [settings, settings.changed({"spread": 40, "cut": 0.9})])
    assert same == pytest.approx(1)
    assert other < same


def test_agreement_with_another_method(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def even(model):\n    return lambda batch, targets: batch[:, 0] * 0 + 1\n")
    model = small()
    reward = make(kind="agreement", explainer=f"{tmp_path}/other.py:even", by="map")
    scorer = Scorer(ImageList((noise(),)), model, Tracer(model), make_judge(reward, model))
    (value,) = scorer.score(0, [Settings().changed({"box": "patch"})])
    assert 0 < value < 1


def test_agreement_is_refused_without_a_file_or_for_another_network(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        make_judge(make(kind="agreement", weights=tmp_path / "none.yaml"), small())
    Weights("other", Settings().alpha, {}, Settings().config).save(tmp_path / "other.yaml")
    with pytest.raises(WeightsError, match="other"):
        make_judge(make(kind="agreement", weights=tmp_path / "other.yaml"), small())


def boxed_area(model: Model, least: float = 0.0) -> Judge:
    """A reward of a user's own: how much of the image the box covers, but at least so much."""

    def judge(scene: Scene, readings: Sequence[Reading]) -> Values:
        width, height = scene.size
        areas = [(one.box[2] - one.box[0]) * (one.box[3] - one.box[1]) / (width * height) for one in readings]
        return np.maximum(least, np.array(areas))

    return judge


def too_much(model: Model) -> Judge:
    return lambda scene, readings: np.full(len(readings), 1.5)


def test_a_users_own_reward_gets_what_the_job_file_says(scene: Scene) -> None:
    kind = f"{__file__}:boxed_area"
    assert judged(scene, [reading(RIGHT), reading(WHOLE)], kind=kind) == [0.25, 1.0]
    assert judged(scene, [reading(RIGHT)], kind=kind, at=0.1, least=0.5) == [0.5]
    assert make(kind=kind).name == "boxed_area"
    with pytest.raises(FactoryError, match="boxed_area' could not be made: TypeError"):
        judged(scene, [], kind=kind, most=1)


def test_values_that_are_none_fail_the_image() -> None:
    model = small()
    judge = make_judge(make(kind=f"{__file__}:too_much"), model)
    with pytest.raises(ScoringError, match=r"image noise: the reward is not one value in \[0, 1\] an arm"):
        Scorer(ImageList((noise(),)), model, Tracer(model), judge).score(0, [Settings()])


def test_an_image_that_comes_back_is_known(network: Bright, scene: Scene) -> None:
    class Reader:
        def readings(self, images: object, settings: Sequence[Settings], targets: object = None) -> list[list[Reading]]:
            return [[reading(RIGHT) for _ in settings]]

    judge = make_judge(make(kind="confidence"), scene.model)
    scorer = Scorer(ImageList((scene.image,)), scene.model, Reader(), judge)
    first = scorer.score(0, [Settings()])
    seen = network.seen
    assert scorer.score(0, [Settings()]) == first
    assert network.seen == seen
