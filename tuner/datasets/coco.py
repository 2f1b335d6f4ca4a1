"""COCO: the instances of a split.

::

    ROOT/annotations/instances_SPLIT.json
    ROOT/SPLIT/FILE_NAME

``bbox`` is x, y, width, height in real numbers, counted from the image's top left corner: half-open as it stands.
Its numbers are rounded, so an overhang of up to one pixel is cut off. Crowds (``iscrowd``) are groups, not instances,
and are left out; so are images without an instance. The file is one long line: its entries are named by their ids.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.datasets.boxes import from_extent
from tuner.datasets.classes import Classes
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Instance, Record, check_records
from tuner.datasets.text import read_bytes
from tuner.errors import DatasetError
from tuner.spec.job import CocoSpec

MAX_BYTES = 2**30
"""How long the file may be; the longest that COCO distributes has 0.45 GB."""

_CONVENTION = Convention(from_extent, overhang=1.0)


def load(spec: CocoSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    path = spec.root / "annotations" / f"instances_{spec.split}.json"
    records = _records(path, spec.root / spec.split, Classes(spec.labels))
    return check_records(records, path, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION)


def _records(path: Path, images: Path, classes: Classes) -> Iterator[Record]:
    content = _read(path)
    try:
        names = {category["id"]: str(category["name"]) for category in content["categories"]}
        files = {image["id"]: str(image["file_name"]) for image in content["images"]}
        instances: dict[Any, list[Instance]] = {image: [] for image in files}
        for annotation in content["annotations"]:
            where = f"{path}: annotation {annotation['id']}"
            if annotation["image_id"] not in files:
                raise DatasetError(f"{where}: image_id {annotation['image_id']} is not among the images; mend it")
            if annotation.get("iscrowd"):
                continue
            x, y, width, height = map(float, annotation["bbox"])
            label = classes.index(names[annotation["category_id"]], where)
            instances[annotation["image_id"]].append(Instance((x, y, width, height), label, where))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DatasetError(f"{path}: not COCO instances ({type(error).__name__}: {error}); give COCO's file") from error
    for image, found in instances.items():
        if found:
            yield Record(files[image], images / files[image], tuple(found), f"{path}: image {image}")


def _read(path: Path) -> Any:
    try:
        return json.loads(read_bytes(path, MAX_BYTES))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not JSON ({error.msg}); mend the file") from error
    except RecursionError as error:
        raise DatasetError(f"{path}: not COCO instances (lists too deep in one another); give COCO's file") from error
    except ValueError as error:  # no Unicode, or a number of too many digits
        raise DatasetError(f"{path}: cannot be read ({error}); mend the file") from error
