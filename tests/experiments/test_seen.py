"""Settings are not judged on the images they were learned on, unless every table says so."""

from dataclasses import replace

import pytest

from experiments.errors import SeenError
from experiments.methods import Subject, find_method
from experiments.seen import check_unseen, count_seen, learned_on
from tracer import Alpha, TraceConfig, Weights
from tracer.weights import learned_architectures, learned_weights
from tuner.datasets import ImageList

LEARNED = Weights("brightness", Alpha(), provenance={"job": "a", "tuned_on": ["box-4", "elsewhere"]})
METHODS = [find_method(name) for name in ("tracer", "tracer-learned", "tracer-base", "saliency")]


def test_methods_that_use_a_weight_file_know_its_images(subject: Subject) -> None:
    learned = learned_on(METHODS, replace(subject, alpha=LEARNED))
    assert learned == dict.fromkeys(["tracer", "tracer-learned"], frozenset({"box-4", "elsewhere"}))
    assert learned_on(METHODS, subject) == {}


def test_weights_that_were_written_by_hand_were_learned_on_nothing(subject: Subject) -> None:
    assert learned_on(METHODS, replace(subject, alpha=Weights("brightness", Alpha()))) == {}


def test_seen_images_are_refused_with_both_mends(subject: Subject, bright_images: ImageList) -> None:
    learned = learned_on(METHODS, replace(subject, alpha=LEARNED))
    with pytest.raises(SeenError, match=r"tracer was learned on 1 of these 3 images.*--unseen.*--allow-seen"):
        check_unseen(bright_images.images, learned)
    check_unseen(bright_images.images[1:], learned)
    assert count_seen(bright_images.images, learned) == {"tracer": 1, "tracer-learned": 1}


def test_file_that_does_not_list_its_images_is_refused(subject: Subject, bright_images: ImageList) -> None:
    learned = learned_on(METHODS, replace(subject, alpha=replace(LEARNED, provenance={"job": "a"})))
    with pytest.raises(SeenError, match=r"does not list the images.*export it again"):
        check_unseen(bright_images.images[1:], learned)
    assert count_seen(bright_images.images, learned)["tracer"] == 3


@pytest.mark.parametrize("architecture", learned_architectures())
def test_weights_that_come_with_the_package_list_their_images(architecture: str, subject: Subject) -> None:
    weights = learned_weights(architecture)
    assert weights is not None
    assert len(set(weights.provenance["tuned_on"])) == weights.provenance["images"]


def test_learned_settings_are_the_weight_files(subject: Subject) -> None:
    weights = replace(LEARNED, tracer=TraceConfig(spread=4))
    assert replace(subject, alpha=weights).learned is weights
    assert subject.learned is None
