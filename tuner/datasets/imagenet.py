"""ILSVRC CLS-LOC: ImageNet's images with the boxes of their objects.

::

    ROOT/LOC_val_solution.csv                          ImageId,PredictionString: synset x0 y0 x1 y1 ...
    ROOT/LOC_synset_mapping.txt                        synset and names of the class whose index is the line's, less one
    ROOT/ILSVRC/Data/CLS-LOC/val/ID.JPEG               (train: .../train/SYNSET/ID.JPEG)
    ROOT/ILSVRC/Annotations/CLS-LOC/val/ID.xml         read where there is no CSV file

Corners are read as the first and the last pixel covered, counted from 0: in the validation set a box that touches the
left border says 0 and one that touches the right border says width - 1, never width; ILSVRC's development kit counts a
box's width as x1 - x0 + 1 likewise. The CSV and the XML files hold the same numbers. Training annotations also say
``width`` itself, so an overhang of one pixel is cut off.
"""

from collections.abc import Iterator
from pathlib import Path

from tuner.datasets.annotation import read_annotation
from tuner.datasets.boxes import from_inclusive
from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_rows
from tuner.errors import DatasetError
from tuner.spec.job import ImagenetSpec

_CONVENTION = Convention(from_inclusive, inclusive=True, overhang=1.0)


def load(spec: ImagenetSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split with torchvision's class indices; see :func:`tuner.datasets.load_dataset`."""
    table = spec.root / f"LOC_{spec.split}_solution.csv"
    base = spec.root / "ILSVRC" if (spec.root / "ILSVRC").is_dir() else spec.root
    images = base / "Data" / "CLS-LOC" / spec.split
    annotations = base / "Annotations" / "CLS-LOC" / spec.split
    mapping = spec.root / "LOC_synset_mapping.txt"
    classes = Classes(spec.labels or (mapping if mapping.exists() else None), first_word=True)
    if table.exists():
        source, records = table, _from_table(table, images, spec.split, classes)
    elif annotations.is_dir():
        source, records = annotations, _from_annotations(annotations, images, classes)
    else:
        raise DatasetError(f"{spec.root}: neither {table.name} nor {annotations} is there; check dataset.root")
    return check_records(records, source, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def _from_table(table: Path, images: Path, split: str, classes: Classes) -> Iterator[Record]:
    rows = read_rows(table)
    _, header = next(rows, ("", []))
    if header != ["ImageId", "PredictionString"]:
        raise DatasetError(f"{table}:1: the first line is not ImageId,PredictionString; give Kaggle's own file")
    for where, row in rows:
        words = row[1].split() if len(row) == 2 else []
        if len(row) != 2 or len(words) % 5:
            raise DatasetError(f"{where}: not an image and its boxes; write ImageId,synset x0 y0 x1 y1 ...")
        image = row[0]
        folder = images / image.partition("_")[0] if split == "train" else images
        instances = tuple(_instance(words[i], words[i + 1 : i + 5], where, classes) for i in range(0, len(words), 5))
        yield Record(image, folder / f"{image}.JPEG", instances, where)


def _from_annotations(annotations: Path, images: Path, classes: Classes) -> Iterator[Record]:
    for path in sorted(annotations.rglob("*.xml")):
        instances = tuple(
            _instance(found.name, found.corners(path), f"{path}:{found.line}", classes)
            for found in read_annotation(path)
        )
        image = (images / path.relative_to(annotations)).with_suffix(".JPEG")
        yield Record(path.stem, image, instances, str(path))


def _instance(synset: str, corners: list[str] | tuple[float, ...], where: str, classes: Classes) -> Instance:
    try:
        x0, y0, x1, y1 = map(float, corners)
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; write synset x0 y0 x1 y1") from error
    return Instance((x0, y0, x1, y1), classes.index(synset, where), where)
