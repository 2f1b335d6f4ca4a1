"""The network on parts of an image."""

import numpy as np
import pytest

from tests.tuner.rewards.conftest import SIDE, Bright
from tuner.rewards import Scene
from tuner.rewards.scene import BATCH


def test_equal_parts_are_computed_once(scene: Scene, network: Bright) -> None:
    whole, nothing = np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    found = scene.on_grey.probabilities([whole, nothing, whole, nothing.copy()], [1, 1, 1, 1])
    assert network.seen == 2
    assert found[0] == found[2] > found[1] == found[3]
    scene.on_grey.probabilities([whole], [1])
    assert network.seen == 2


def test_many_parts_go_in_batches_and_come_out_as_alone(scene: Scene) -> None:
    random = np.random.default_rng(0)
    masks = [random.random((SIDE, SIDE)) < share for share in np.linspace(0, 1, 2 * BATCH + 3)]
    together = scene.on_grey.probabilities(masks, [1] * len(masks))
    for mask, probability in zip(masks, together, strict=True):
        (alone,) = Scene(scene.image, scene.pixels, scene.model).on_grey.probabilities([mask], [1])
        assert alone == pytest.approx(probability, abs=1e-6)


def test_probabilities_of_two_classes_add_up(scene: Scene) -> None:
    whole = np.ones((SIDE, SIDE), bool)
    assert scene.on_grey.probabilities([whole, whole], [0, 1]).sum() == pytest.approx(1)


def test_what_is_hidden_under_a_blur_is_neither_seen_nor_gone(scene: Scene) -> None:
    whole, nothing = np.ones((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    seen, blurred = scene.on_blur.probabilities([whole, nothing], [1, 1])
    (gone,) = scene.on_grey.probabilities([nothing], [1])
    assert gone < blurred < seen
