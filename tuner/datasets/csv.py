"""A CSV file of one's own: a line an instance.

::

    image,x0,y0,x1,y1,label
    cats/1.jpg,10,20,200,180,tabby

Images are found from the file's folder. Corners are half-open, x0 ≤ x < x1, as everywhere in this project, so nothing
is converted: a box around the whole image says 0, 0, width, height. ``label`` may be missing or empty; it is an index
of the network's scores, or a name where ``dataset.labels`` gives their order. Columns behind it are passed over.
"""

from collections.abc import Iterator
from pathlib import Path

from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_rows
from tuner.errors import DatasetError
from tuner.spec.job import CsvSpec

_COLUMNS = ["image", "x0", "y0", "x1", "y1"]
_LARGEST_LABEL = 2**31 - 1
_CONVENTION = Convention(lambda box: box)


def load(spec: CsvSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of the file; see :func:`tuner.datasets.load_dataset`."""
    path = _file(spec.root)
    classes = Classes(spec.labels) if spec.labels else None
    return check_records(_records(path, classes), path, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def _file(root: Path) -> Path:
    """The root itself, or the one CSV file in it."""
    if not root.is_dir():
        return root
    found = sorted(root.glob("*.csv"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DatasetError(f"{root}: not one CSV file ({names}); let dataset.root name the file")
    return found[0]


def _records(path: Path, classes: Classes | None) -> Iterator[Record]:
    rows = read_rows(path)
    _, header = next(rows, ("", []))
    if header[: len(_COLUMNS)] != _COLUMNS or header[len(_COLUMNS) :][:1] not in ([], ["label"]):
        raise DatasetError(f"{path}:1: the columns are not {','.join(_COLUMNS)}[,label]; write them in the first line")
    instances: dict[str, list[Instance]] = {}
    for where, row in rows:
        if not len(_COLUMNS) <= len(row) <= len(header):
            raise DatasetError(f"{where}: {len(row)} cells; write {','.join(header)}")
        instances.setdefault(row[0], []).append(_instance(row[1:], where, classes))
    for image, found in instances.items():
        yield Record(image, path.parent / image, tuple(found), found[0].where)


def _instance(cells: list[str], where: str, classes: Classes | None) -> Instance:
    try:
        x0, y0, x1, y1 = map(float, cells[:4])
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; write {','.join(_COLUMNS)}[,label]") from error
    return Instance((x0, y0, x1, y1), _label("".join(cells[4:5]), where, classes), where)


def _label(text: str, where: str, classes: Classes | None) -> int | None:
    if not text:
        return None
    if text.isdecimal():
        if len(text) > len(str(_LARGEST_LABEL)) or int(text) > _LARGEST_LABEL:
            raise DatasetError(f"{where}: label of {len(text)} digits; no network has so many classes")
        return int(text)
    if classes is None:
        raise DatasetError(f"{where}: label {text!r} is no index; write one, or name the order in dataset.labels")
    return classes.index(text, where)
