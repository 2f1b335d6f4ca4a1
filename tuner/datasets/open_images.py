"""Open Images: the boxes of a split, of the images that are at hand.

::

    ROOT/[oidv6-]SPLIT-annotations-bbox.csv            a line an object: ImageID, LabelName, XMin, XMax, YMin, YMax ...
    ROOT/class-descriptions-boxable.csv                LabelName and its name in English
    ROOT/SPLIT/ID.jpg

Corners are parts of the image's width and height. Few have all of the images, so those that are not in the folder are
passed over. Boxes around groups (``IsGroupOf``) are left out, as COCO's crowds are.
"""

from collections.abc import Iterator
from pathlib import Path

from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_rows
from tuner.errors import DatasetError
from tuner.spec.job import OpenImagesSpec

_CORNERS = ("XMin", "YMin", "XMax", "YMax")
_COLUMNS = ("ImageID", "LabelName", *_CORNERS)
_CONVENTION = Convention(lambda box: box, overhang=1.0, relative=True)


def load(spec: OpenImagesSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    table = spec.root / f"{spec.split}-annotations-bbox.csv"
    if not table.exists() and (spec.root / f"oidv6-{table.name}").exists():
        table = spec.root / f"oidv6-{table.name}"
    names = _names(spec.root / "class-descriptions-boxable.csv") if spec.labels else {}
    records = _records(table, spec.root / spec.split, names, Classes(spec.labels))
    return check_records(records, table, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def _names(path: Path) -> dict[str, str]:
    """The name of each class by what the table calls it, such as ``/m/01yrx``."""
    return {row[0]: row[1] for _, row in read_rows(path) if len(row) > 1}


def _records(table: Path, images: Path, names: dict[str, str], classes: Classes) -> Iterator[Record]:
    rows = read_rows(table)
    _, header = next(rows, ("", []))
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        raise DatasetError(f"{table}:1: no column {', '.join(missing)}; give Open Images' file of boxes")
    at_hand = {path.stem for path in images.glob("*.jpg")}
    instances: dict[str, list[Instance]] = {}
    for where, row in rows:
        if len(row) != len(header):
            raise DatasetError(f"{where}: {len(row)} cells and not {len(header)}, as in the first line; mend the line")
        cells = dict(zip(header, row, strict=True))
        if cells["ImageID"] in at_hand and cells.get("IsGroupOf") != "1":
            instances.setdefault(cells["ImageID"], []).append(_instance(cells, where, names, classes))
    for image, found in instances.items():
        yield Record(image, images / f"{image}.jpg", tuple(found), found[0].where)


def _instance(cells: dict[str, str], where: str, names: dict[str, str], classes: Classes) -> Instance:
    try:
        x0, y0, x1, y1 = (float(cells[corner]) for corner in _CORNERS)
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; write numbers from 0 to 1") from error
    label = cells["LabelName"]
    return Instance((x0, y0, x1, y1), classes.index(names.get(label, label), where), where)
