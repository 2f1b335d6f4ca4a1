"""YOLO's text files, as Ultralytics lays them out: a line an object.

::

    ROOT/images/SPLIT/NAME.jpg
    ROOT/labels/SPLIT/NAME.txt                         class x y width height, or class x0 y0 x1 y1 x2 y2 ...
    ROOT/data.yaml, or ROOT/classes.txt                names of the classes by number

``x y`` is the box's centre. All numbers but the class are parts of the image's width and height. More than four of them
are the corners of an outline, whose box is the tightest around it. Tools round them, so an overhang of up to one pixel
is cut off. An image whose text file is missing or empty shows no object, and is left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracer.documents import read_document
from tracer.errors import DocumentError
from tracer.images import FORMATS
from tuner.datasets.boxes import from_centre
from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_lines
from tuner.errors import DatasetError
from tuner.spec.job import YoloSpec

_CONVENTION = Convention(from_centre, overhang=1.0, relative=True)
_SUFFIXES = {suffix for suffixes in FORMATS.values() for suffix in suffixes}


def load(spec: YoloSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    images = spec.root / "images" / spec.split
    if not images.is_dir():
        raise DatasetError(f"{images}: no such folder; check root and split of the data set")
    names = _names(spec.root) if spec.labels else {}
    records = _records(images, spec.root / "labels" / spec.split, names, Classes(spec.labels))
    return check_records(records, images, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def _names(root: Path) -> dict[int, str]:
    """The name of each class by its number."""
    if (root / "classes.txt").exists():
        return dict(enumerate(line.strip() for line in read_lines(root / "classes.txt")))
    path = root / "data.yaml"
    try:
        content: Any = read_document(path).data
    except DocumentError as error:
        raise DatasetError(str(error)) from error
    names = content.get("names") if isinstance(content, dict) else None
    numbered = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(numbered, dict) or not all(isinstance(number, int) for number in numbered):
        raise DatasetError(f"{path}: no list of names; write names: [cat, dog], or one a line in classes.txt")
    return {number: str(name) for number, name in numbered.items()}


def _records(images: Path, labels: Path, names: dict[int, str], classes: Classes) -> Iterator[Record]:
    for image in sorted(path for path in images.iterdir() if path.suffix.lower() in _SUFFIXES):
        text = labels / f"{image.stem}.txt"
        lines = read_lines(text) if text.exists() else []
        instances = tuple(
            _instance(line.split(), f"{text}:{number}", names, classes)
            for number, line in enumerate(lines, 1)
            if line.strip()
        )
        if instances:
            yield Record(image.name, image, instances, str(text))


def _instance(words: list[str], where: str, names: dict[int, str], classes: Classes) -> Instance:
    try:
        number = int(words[0])
        numbers = [float(word) for word in words[1:]]
        if len(numbers) < 4 or len(numbers) % 2:
            raise ValueError(f"{len(numbers)} numbers after the class")
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; write class x y width height") from error
    if len(numbers) > 4:
        xs, ys = numbers[::2], numbers[1::2]
        numbers = [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)]
    x, y, width, height = numbers
    return Instance((x, y, width, height), classes.index(names.get(number, str(number)), where), where)
