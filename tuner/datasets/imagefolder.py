"""Hugging Face's ``imagefolder`` with boxes: a folder of images with a line of JSON for each.

::

    ROOT[/SPLIT]/1.jpg
    ROOT[/SPLIT]/metadata.jsonl
    {"file_name": "1.jpg", "objects": {"bbox": [[10, 20, 190, 160]], "categories": ["cat"]}}

Other keys are passed over. :mod:`tuner.datasets.hugging_face` says what ``objects`` may hold.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from tuner.datasets.classes import Classes
from tuner.datasets.hugging_face import CONVENTION, read_objects
from tuner.datasets.image import ImageList
from tuner.datasets.record import Record, check_records
from tuner.datasets.text import read_lines
from tuner.errors import DatasetError
from tuner.spec.job import ImageFolderSpec


def load(spec: ImageFolderSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    folder = spec.root / spec.split if (spec.root / spec.split).is_dir() else spec.root
    path = folder / "metadata.jsonl"
    records = _records(path, Classes(spec.labels))
    return check_records(records, path, skip_bad=skip_bad, labelled=labelled, convention=CONVENTION)


def _records(path: Path, classes: Classes) -> Iterator[Record]:
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            content = json.loads(line)
            name = str(content["file_name"])
            objects = content["objects"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise DatasetError(f"{where}: no line of metadata ({reason}); write file_name and objects") from error
        yield Record(name, path.parent / name, tuple(read_objects(objects, where, classes)), where)
