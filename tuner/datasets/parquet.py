"""Hugging Face's Parquet files with boxes: a row an image, which lies in the file itself.

::

    ROOT, or ROOT[/data]/SPLIT*.parquet    columns image {bytes, path} and objects {bbox, categories}

Other columns are passed over. :mod:`tuner.datasets.hugging_face` says what ``objects`` may hold; numbers of categories
get their names from the description that ``datasets`` keeps in the file. To open an image its group of rows is read.
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from tracer.files import require_regular
from tracer.images import Embedded
from tuner.datasets.classes import Classes
from tuner.datasets.hugging_face import CONVENTION, category_names, read_objects
from tuner.datasets.image import ImageList
from tuner.datasets.record import Record, check_records
from tuner.errors import DatasetError
from tuner.spec.job import ParquetSpec


def load(spec: ParquetSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of a split; see :func:`tuner.datasets.load_dataset`."""
    records = _records(_files(spec.root, spec.split), Classes(spec.labels))
    return check_records(records, spec.root, skip_bad=skip_bad, labelled=labelled, convention=CONVENTION)


def _files(root: Path, split: str) -> Sequence[Path]:
    if not root.is_dir():
        return [root]
    found = sorted([*root.glob(f"{split}*.parquet"), *(root / "data").glob(f"{split}*.parquet")])
    if not found:
        raise DatasetError(f"{root}: no {split}*.parquet there; check root and split of the data set")
    return found


def _records(files: Sequence[Path], classes: Classes) -> Iterator[Record]:
    for path in files:
        table = _opened(path)
        names = category_names(_features(table))
        missing = [column for column in ("image", "objects") if column not in table.schema_arrow.names]
        if missing:
            raise DatasetError(f"{path}: no column {', '.join(missing)}; give images with the boxes of their objects")
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group, columns=["objects"]).column("objects").to_pylist()
            for row, objects in enumerate(rows):
                where = f"{path}: row {row} of group {group}"
                instances = tuple(read_objects(objects, where, classes, names))
                image = Embedded(where, partial(_image, path, group, row))
                yield Record(f"{path.name}/{group}/{row}", image, instances, where)


def _opened(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DatasetError("kind: parquet needs pyarrow: pip install 'bandit-tracer[parquet]'") from error
    try:
        require_regular(path)
        return ParquetFile(path)
    except (OSError, ArrowException) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{path}: no Parquet file that can be read ({reason}); check dataset.root") from error


def _features(table: Any) -> Any:
    """The description of the columns that ``datasets`` keeps; ``None`` where there is none."""
    described = (table.schema_arrow.metadata or {}).get(b"huggingface", b"null")
    try:
        content = json.loads(described)
    except (ValueError, RecursionError):
        return None
    return content.get("info", {}).get("features") if isinstance(content, dict) else None


def _image(path: Path, group: int, row: int) -> bytes:
    content = _images(path, group)[row]
    if not isinstance(content, dict) or not isinstance(content.get("bytes"), bytes):
        raise ValueError("the row holds no bytes of an image")
    return bytes(content["bytes"])


@lru_cache(maxsize=2)  # images of a group are mostly read one after the other
def _images(path: Path, group: int) -> list[Any]:
    images: list[Any] = _opened(path).read_row_group(group, columns=["image"]).column("image").to_pylist()
    return images
