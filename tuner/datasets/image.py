"""An image with the boxes of its instances, and a data set of such images."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tuner.errors import ChangedError


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """An image, its class and where its instances are.

    Args:
        id: What the data set calls it; unique within it.
        label: Index of its class in the network's scores; ``None`` where it is not known.
        boxes: Half-open boxes x0, y0, x1, y1 of its instances, float64 of shape (n, 4), pixels; none where the
            data set describes no instances.
        width: Columns of the image.
        height: Rows of the image.
        read: Makes the pixels; picklable, so that the image travels to workers without them.
        pixels_sha256: Hash of the pixels that a job began with (:func:`pin`); ``None`` where none began yet.

    Raises:
        ValueError: If a box is empty, not finite or reaches outside the image.
    """

    id: str
    label: int | None
    boxes: NDArray[np.float64]
    width: int
    height: int
    read: Callable[[], Image.Image]
    pixels_sha256: str | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4:
            raise ValueError(f"image {self.id}: boxes of shape {self.boxes.shape}: write rows of four")
        if self.boxes.dtype != np.float64:
            raise ValueError(f"image {self.id}: boxes of type {self.boxes.dtype}: make them float64")
        for box in self.boxes.tolist():
            fault = box_fault(box, self.width, self.height)
            if fault:
                raise ValueError(f"image {self.id}: {fault}")

    def open(self) -> Image.Image:
        """The pixels as stored, RGB, ``width`` x ``height``: the ones that the boxes were drawn on.

        Raises:
            DatasetError: If the file has gone or is corrupt.
            ChangedError: If the image has another size than its boxes were checked with, or other pixels than the job
                began with.
        """
        image = self.read()
        if image.size != (self.width, self.height):
            found = f"{image.width} x {image.height} pixels, not {self.width} x {self.height}"
        elif self.pixels_sha256 not in (None, _pixels_sha256(image)):
            found = "other pixels"
        else:
            return image
        raise ChangedError(f"image {self.id} has {found} now: bring it back, or start a job of another name")


class Dataset(Protocol):
    """Images by index. Picklable: it travels to workers."""

    def __len__(self) -> int:
        """How many images."""
        ...

    def __getitem__(self, index: int) -> LabelledImage:
        """The image at an index from 0 to ``len(self) - 1``."""
        ...

    @property
    def sha256(self) -> str:
        """A hash of ids, labels, sizes and boxes, 64 hexadecimal digits. Pixels do not enter it."""
        ...


@dataclass(frozen=True, eq=False)
class ImageList:
    """A data set held as a list.

    Args:
        images: The images.
        left_out: Why each image that is not among them was left out, a line each.
    """

    images: tuple[LabelledImage, ...]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]

    @cached_property
    def sha256(self) -> str:
        """A hash of ids, labels, sizes and boxes, 64 hexadecimal digits. Pixels do not enter it."""
        digest = hashlib.sha256()
        for image in self.images:
            heading = f"{image.id}\0{image.label}\0{image.width}\0{image.height}\0{len(image.boxes)}\n"
            digest.update(heading.encode())
            digest.update(image.boxes.astype("<f8").tobytes())
        return digest.hexdigest()


def sample(dataset: Dataset, images: int, seed: int) -> NDArray[np.int64]:
    """Indices of the images of a job, in the order in which every arm sees them.

    They are the first ``images`` of a seeded permutation of the whole data set, so that a larger sample starts with
    the smaller one; all of them where the data set holds fewer.
    """
    return np.random.default_rng(seed).permutation(len(dataset))[:images].astype(np.int64)


def pin(dataset: Dataset, indices: Iterable[int]) -> ImageList:
    """The data set with some images pinned to their pixels: opening one of them with other pixels is an error later.

    The images are read to take their hashes. One that cannot be read is not pinned; workers will find it bad.
    """
    images = [dataset[index] for index in range(len(dataset))]
    indices = list(indices)
    with ThreadPoolExecutor() as threads:  # decoding and hashing leave Python's lock alone
        for index, digest in zip(indices, threads.map(lambda index: _pixels_of(images[index]), indices), strict=True):
            images[index] = replace(images[index], pixels_sha256=digest)
    return ImageList(tuple(images))


def _pixels_of(image: LabelledImage) -> str | None:
    try:
        return _pixels_sha256(image.open())
    except Exception:  # whatever an image provokes is for its worker to report
        return None


def _pixels_sha256(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def box_fault(box: Sequence[float], width: int, height: int) -> str | None:
    """What is wrong with a box in an image of this size, and the mend; ``None`` where nothing is."""
    if fault := shape_fault(box):
        return fault
    x0, y0, x1, y1 = box
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        return f"{_shown(box)} reaches outside its image of {width} x {height} pixels; mend the box or the image"
    return None


def shape_fault(box: Sequence[float]) -> str | None:
    """What is wrong with a box wherever it lies, and the mend; ``None`` where nothing is."""
    if not all(map(math.isfinite, box)):
        return f"{_shown(box)} is not finite; write four numbers"
    x0, y0, x1, y1 = box
    if x1 < x0 or y1 < y0:
        return f"{_shown(box)} is inverted; write x0 < x1 and y0 < y1"
    if x1 == x0 or y1 == y0:
        return f"{_shown(box)} is empty; write x0 < x1 and y0 < y1"
    return None


def _shown(box: Sequence[float]) -> str:
    return f"box ({', '.join(f'{value:g}' for value in box)})"
