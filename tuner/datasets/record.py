"""Images as the files of a data set describe them, and the check that makes a data set of them.

A *layout* is the way in which a kind of data set writes down its images, boxes and labels: ImageNet's XML, COCO's JSON,
and so on. Each has a module that reads it into :class:`Record` objects; what follows is the same for all.
"""

import io
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from tracer.errors import ImageError
from tracer.images import Embedded, open_image, read_image, to_rgb
from tracer.printable import printable
from tuner.datasets.image import ImageList, LabelledImage, box_fault, shape_fault
from tuner.errors import DatasetError

logger = logging.getLogger(__name__)

_TAIL = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
"""The mark at the end of a file that was written whole, by its format."""

_QUARTER_TURNS = (5, 6, 7, 8)
"""EXIF orientations that swap rows and columns."""

_TAIL_BYTES = 4096
"""How many bytes before the end of a file that mark is looked for: some cameras write a little behind it."""


Box = NDArray[np.float64]


@dataclass(frozen=True)
class Convention:
    """How a layout writes boxes.

    Args:
        convert: Makes a half-open box x0, y0, x1, y1 of the four numbers written, shape (4,).
        inclusive: Whether the numbers are corners, of which the second names the last pixel covered. Corners that share
            a row or a column would then be a box one pixel wide; they are refused, as a slip of annotation.
        overhang: How many pixels a box may reach beyond its image, because the layout's tools round. What lies beyond
            is cut off.
        relative: Whether the numbers are parts of the image's width and height, in place of pixels.
    """

    convert: Callable[[Box], Box]
    inclusive: bool = False
    overhang: float = 0.0
    relative: bool = False

    def box(self, written: tuple[float, float, float, float], width: int, height: int) -> list[float]:
        """The half-open box in an image of this size.

        Raises:
            ValueError: If it is empty, inverted, not finite or outside the image.
        """
        fault = shape_fault(written) if self.inclusive else None
        unit = (width, height, width, height) if self.relative else 1.0
        box: list[float] = (self.convert(np.array(written)) * unit).tolist()
        cut = [min(max(value, 0.0), limit) for value, limit in zip(box, (width, height, width, height), strict=True)]
        if all(abs(value - end) <= self.overhang for value, end in zip(box, cut, strict=True)):
            box = cut
        fault = fault or box_fault(box, width, height)
        if fault:
            raise ValueError(fault)
        return box


@dataclass(frozen=True)
class Instance:
    """One object as a layout describes it.

    Args:
        written: The four numbers of its box as they stand in the file.
        label: Index of its class in the network's scores; ``None`` where it is not known.
        where: ``FILE:LINE`` or as close to it as the format allows.
    """

    written: tuple[float, float, float, float]
    label: int | None
    where: str


@dataclass(frozen=True)
class Record:
    """One image as a layout describes it.

    Args:
        id: Unique name within the data set.
        path: The image file, or the image within a file.
        instances: Its objects.
        where: Where the layout names it, as ``FILE:LINE`` or close to it.
    """

    id: str
    path: Path | Embedded
    instances: tuple[Instance, ...]
    where: str


def check_records(
    records: Iterable[Record],
    source: Path,
    *,
    skip_bad: bool,
    labelled: bool,
    convention: Convention,
    annotated: bool = True,
) -> ImageList:
    """The records as a data set, each image and box looked at; of the image files only head and tail are read.

    The label of an image is that of its largest instance.

    Args:
        records: What the layout says.
        source: Where it says it, for messages about the whole.
        skip_bad: Leave out an image that is bad instead of refusing the data set.
        labelled: Whether an image without a label is bad.
        convention: How its boxes are written.
        annotated: Whether the layout describes instances. Where it does, an image without any is bad. Where it does
            not, images are turned upright by their orientation tags, which boxes forbid.

    Raises:
        DatasetError: If an image is missing or corrupt, or a box empty, inverted or outside its image; names the first
            with its file and line. Also if no image is left.
    """
    images: list[LabelledImage] = []
    faults: list[str] = []
    seen: dict[str, str] = {}
    for record in records:
        if record.id in seen:
            faults.append(f"{record.where}: image {record.id} stands in {seen[record.id]} already; keep one of them")
            continue
        seen[record.id] = record.where
        if not _is_text(record.id):
            faults.append(printable(f"{record.where}: image {record.id}: its name is no UTF-8; rename it"))
            continue
        try:
            images.append(_image(record, labelled, convention) if annotated else _bare(record))
        except DatasetError as error:
            faults.append(str(error))
    if faults and not skip_bad:
        more = f" (and {len(faults) - 1} more bad images)" if len(faults) > 1 else ""
        raise DatasetError(f"{faults[0]}; or leave bad images out with skip_bad: true under dataset{more}")
    if not images:
        raise DatasetError(f"{source}: no image to use" + (f"; the first is bad: {faults[0]}" if faults else ""))
    for fault in faults:
        logger.info("left out: %s", fault)
    return ImageList(tuple(images), tuple(faults))


def read_file(path: Path | Embedded) -> Image.Image:
    """The pixels of an image file as RGB, as stored.

    An orientation tag is dropped, not obeyed: every layout here counts boxes in the pixels as stored.

    Raises:
        DatasetError: If the file is missing, corrupt, too large, or has no clear RGB reading.
    """
    try:
        with open_image(path) as file:
            image = file.copy()
            image.info = {key: value for key, value in image.info.items() if key == "transparency"}
            return to_rgb(image)
    except ImageError as error:
        raise DatasetError(str(error)) from error


def _is_text(name: str) -> bool:
    """Whether a name can be stored; a file's name is any bytes, of which Python makes surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _image(record: Record, labelled: bool, convention: Convention) -> LabelledImage:
    width, height = _size(record)
    if not record.instances:
        raise DatasetError(f"{record.where}: image {record.id} has no box; add one or take the image out")
    boxes = np.empty((len(record.instances), 4))
    for row, instance in enumerate(record.instances):
        try:
            boxes[row] = convention.box(instance.written, width, height)
        except ValueError as error:
            raise DatasetError(f"{instance.where}: image {record.id}: {error}") from error
    largest = int(np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))
    label = record.instances[largest].label
    if labelled and label is None:
        raise DatasetError(
            f"{record.instances[largest].where}: image {record.id} has no label, and target: label explains it; add one"
        )
    return LabelledImage(record.id, label, boxes, width, height, partial(read_file, record.path))


def _bare(record: Record) -> LabelledImage:
    """An image of which nothing is known but its pixels."""
    width, height = _size(record, upright=True)
    return LabelledImage(record.id, None, np.empty((0, 4)), width, height, partial(read_image, record.path))


def _size(record: Record, *, upright: bool = False) -> tuple[int, int]:
    """Width and height from the file's head; a file whose tail is not that of a whole one is decoded to be sure.

    Args:
        record: The image.
        upright: Whether to count them after the turn that an orientation tag asks for.
    """
    try:
        with open_image(record.path) as image:
            tail = _TAIL.get(image.format or "")
            if tail is None or tail not in _end(record.path):
                image.load()
            turned = upright and image.getexif().get(ExifTags.Base.Orientation) in _QUARTER_TURNS
            return (image.height, image.width) if turned else image.size
    except ImageError as error:
        raise DatasetError(f"{record.where}: image {error}") from error


def _end(path: Path | Embedded) -> bytes:
    """The last bytes of a file."""
    if isinstance(path, Embedded):
        return path.read()[-_TAIL_BYTES:]
    with path.open("rb") as file:
        file.seek(0, io.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return file.read()
