from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tuner.datasets import ImageList, LabelledImage, pin, sample
from tuner.errors import ChangedError


def blank() -> Image.Image:
    return Image.new("RGB", (10, 10))


def image(name: str = "a", label: int | None = 0, boxes: object = ((0, 0, 5, 5),), width: int = 10) -> LabelledImage:
    return LabelledImage(name, label, np.array(boxes, dtype=np.float64), width, 10, blank)


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(0, 2**31))
def test_a_larger_sample_starts_with_the_smaller(length: int, images: int, more: int, seed: int) -> None:
    dataset = ImageList(tuple(image(str(i)) for i in range(length)))
    small, large = sample(dataset, images, seed), sample(dataset, images + more, seed)
    assert large[: len(small)].tolist() == small.tolist()
    assert len(small) == min(images, length)
    assert len(set(large.tolist())) == len(large)
    assert sample(dataset, length, seed).tolist() == np.random.default_rng(seed).permutation(length).tolist()


def test_another_seed_gives_another_order() -> None:
    dataset = ImageList(tuple(image(str(i)) for i in range(50)))
    assert sample(dataset, 50, 0).tolist() != sample(dataset, 50, 1).tolist()


@pytest.mark.parametrize(
    "other",
    [
        image("b"),
        image(label=1),
        image(label=None),
        image(boxes=((0, 0, 5, 6),)),
        image(width=11),
        image(boxes=((0, 0, 5, 5),) * 2),
    ],
    ids=["id", "label", "no label", "box", "size", "boxes"],
)
def test_the_hash_covers_ids_labels_sizes_and_boxes(other: LabelledImage) -> None:
    assert ImageList((image(),)).sha256 == ImageList((image(),)).sha256
    assert ImageList((image(),)).sha256 != ImageList((other,)).sha256


def test_the_hash_covers_the_order() -> None:
    assert ImageList((image("a"), image("b"))).sha256 != ImageList((image("b"), image("a"))).sha256


@pytest.mark.parametrize("boxes", [[], [[0, 0, 11, 5]], [[0, 0, 0, 5]], [[5, 0, 0, 5]], [[0, 0, np.nan, 5]], [0, 0, 5]])
def test_a_labelled_image_with_bad_boxes_cannot_be_made(boxes: object) -> None:
    with pytest.raises(ValueError, match="image a: "):
        image(boxes=boxes)


class Picture:
    """Pixels that change between two looks."""

    def __init__(self, *looks: Image.Image) -> None:
        self.looks: Iterator[Image.Image] = iter(looks)

    def __call__(self) -> Image.Image:
        return next(self.looks)


def of(*looks: Image.Image) -> ImageList:
    return ImageList((image(), LabelledImage("b", 0, np.array([[0.0, 0.0, 5.0, 5.0]]), 10, 10, Picture(*looks))))


def test_a_pinned_image_opens_as_long_as_its_pixels_are_the_same() -> None:
    dataset = pin(of(*[Image.new("RGB", (10, 10), "red")] * 3), [1])
    assert dataset[1].open().tobytes() == dataset[1].open().tobytes()
    assert dataset.sha256 == of().sha256
    assert dataset[0].pixels_sha256 is None


def test_a_pinned_image_with_other_pixels_is_refused() -> None:
    dataset = pin(of(Image.new("RGB", (10, 10), "red"), Image.new("RGB", (10, 10), "blue")), [1])
    with pytest.raises(ChangedError, match="image b has other pixels now: bring it back, or start a job of another"):
        dataset[1].open()


def test_an_image_of_another_size_than_its_boxes_were_checked_with_is_refused() -> None:
    with pytest.raises(ChangedError, match="image b has 20 x 10 pixels, not 10 x 10 now"):
        of(Image.new("RGB", (20, 10)))[1].open()


def test_an_image_that_cannot_be_read_is_not_pinned() -> None:
    dataset = pin(ImageList((image(), LabelledImage("b", 0, np.array([[0.0, 0.0, 5.0, 5.0]]), 10, 10, broken))), [0, 1])
    assert dataset[0].pixels_sha256 is not None
    assert dataset[1].pixels_sha256 is None


def broken() -> Image.Image:
    raise OSError("cut short")
