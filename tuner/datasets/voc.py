"""PASCAL VOC: a year's folder of a VOCdevkit.

::

    ROOT[/VOCyyyy]/ImageSets/Main/SPLIT.txt            an image a line
    ROOT[/VOCyyyy]/Annotations/ID.xml
    ROOT[/VOCyyyy]/JPEGImages/ID.jpg

Corners are read as the first and the last pixel covered, counted from 1, as VOC's documentation says (the top left
pixel is (1, 1)) and its MATLAB code does: a box around the whole image says 1, 1, width, height. Objects marked
difficult or truncated are instances like any other.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tuner.datasets.annotation import read_annotation
from tuner.datasets.boxes import from_inclusive
from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_lines
from tuner.errors import DatasetError
from tuner.spec.job import VocSpec

_CONVENTION = Convention(partial(from_inclusive, origin=1), inclusive=True)


def load(spec: VocSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    folder = year_folder(spec.root)
    split = folder / "ImageSets" / "Main" / f"{spec.split}.txt"
    records = _records(folder, split, Classes(spec.labels))
    return check_records(records, split, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def year_folder(root: Path) -> Path:
    """The folder with ``Annotations``: the root itself, or the one year in it."""
    if (root / "Annotations").is_dir():
        return root
    years = sorted(path.parent for path in root.glob("VOC*/Annotations"))
    if len(years) != 1:
        names = ", ".join(year.name for year in years) or "none"
        raise DatasetError(f"{root}: not one VOC year ({names}); let dataset.root be a folder with Annotations in it")
    return years[0]


def _records(folder: Path, split: Path, classes: Classes) -> Iterator[Record]:
    for number, line in enumerate(read_lines(split), 1):
        if not line.strip():
            continue
        image = line.split()[0]
        annotation = folder / "Annotations" / f"{image}.xml"
        instances = tuple(
            Instance(
                found.corners(annotation),
                classes.index(found.name, f"{annotation}:{found.line}"),
                f"{annotation}:{found.line}",
            )
            for found in read_annotation(annotation)
        )
        yield Record(image, folder / "JPEGImages" / f"{image}.jpg", instances, f"{split}:{number}")
