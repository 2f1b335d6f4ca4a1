"""PASCAL VOC's segmented images: a box around each object's mask.

::

    ROOT[/VOCyyyy]/ImageSets/Segmentation/SPLIT.txt    an image a line
    ROOT[/VOCyyyy]/SegmentationObject/ID.png           number of each pixel's object; 0 for none, 255 for an outline
    ROOT[/VOCyyyy]/SegmentationClass/ID.png            number of each pixel's class, likewise
    ROOT[/VOCyyyy]/JPEGImages/ID.jpg

A mask's box is tighter than the one in ``Annotations``, and half-open as it stands. An object's class is that of most
of its pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tracer.errors import ImageError
from tracer.images import open_image
from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_lines
from tuner.datasets.voc import year_folder
from tuner.errors import DatasetError
from tuner.spec.job import VocSegmentationSpec

_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_OUTLINE = 255
_CONVENTION = Convention(lambda box: box)


def load(spec: VocSegmentationSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    folder = year_folder(spec.root)
    split = folder / "ImageSets" / "Segmentation" / f"{spec.split}.txt"
    records = _records(folder, split, Classes(spec.labels))
    return check_records(records, split, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def _records(folder: Path, split: Path, classes: Classes) -> Iterator[Record]:
    for number, line in enumerate(read_lines(split), 1):
        if image := line.strip():
            instances = tuple(_instances(folder, image, classes))
            yield Record(image, folder / "JPEGImages" / f"{image}.jpg", instances, f"{split}:{number}")


def _instances(folder: Path, image: str, classes: Classes) -> Iterator[Instance]:
    path = folder / "SegmentationObject" / f"{image}.png"
    objects, kinds = _numbers(path), _numbers(folder / "SegmentationClass" / f"{image}.png")
    if objects.shape != kinds.shape:
        raise DatasetError(f"{path}: another size than the mask of classes beside it; mend one of them")
    for number in np.setdiff1d(objects, [0, _OUTLINE]).tolist():
        mask = objects == number
        where = f"{path}: object {number}"
        kind = int(np.bincount(kinds[mask]).argmax())
        if not 0 < kind < len(_CLASSES):
            raise DatasetError(f"{where}: class {kind} is none of VOC's; mend the mask of classes")
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        yield Instance(box, classes.index(_CLASSES[kind], where), where)


def _numbers(path: Path) -> NDArray[np.uint8]:
    """The number of each pixel of a mask, shape (height, width)."""
    try:
        with open_image(path) as mask:
            numbers = np.asarray(mask)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if numbers.ndim != 2 or numbers.dtype != np.uint8:
        raise DatasetError(f"{path}: no mask of one number a pixel; give VOC's own file")
    return numbers
