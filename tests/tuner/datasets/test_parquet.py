import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import ParquetSpec

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (100, 80), (level, level, level)).save(file, "png")
    return file.getvalue()


def table(path: Path, images: list[bytes], categories: list[list[Any]], features: object = None) -> Path:
    """A file as ``datasets`` writes one, in groups of two rows."""
    columns = {
        "image": [{"bytes": content, "path": None} for content in images],
        "objects": [
            {"bbox": [[10.0 * (n + 1), 20.0, 30.0, 40.0] for n in range(len(each))], "category": each}
            for each in categories
        ],
    }
    described = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns).replace_schema_metadata(described), path, row_group_size=2)
    return path


def spec(root: Path, **more: object) -> ParquetSpec:
    return ParquetSpec(kind="parquet", root=root, **more)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    names = {
        "objects": {"feature": {"category": {"names": ["cat", "dog"], "_type": "ClassLabel"}}, "_type": "Sequence"}
    }
    return table(tmp_path / "data/train-00000-of-00001.parquet", [png(n) for n in range(3)], [[0], [1, 0], [1]], names)


def test_rows_are_images_with_boxes(tmp_path: Path, file: Path) -> None:
    dataset = load_dataset(spec(tmp_path))
    assert [image.id for image in dataset.images] == [f"{file.name}/{place}" for place in ("0/0", "0/1", "1/0")]
    assert dataset[1].boxes.tolist() == [[10, 20, 40, 60], [20, 20, 50, 60]]
    assert [int(np.asarray(pickle.loads(pickle.dumps(image)).open()).max()) for image in dataset.images] == [0, 1, 2]
    assert load_dataset(spec(file)).sha256 == dataset.sha256


def test_numbers_of_categories_are_named_by_the_file(tmp_path: Path, file: Path, write) -> None:
    names = write(tmp_path / "names.txt", "dog\ncat\n")
    assert [image.label for image in load_dataset(spec(tmp_path, labels=names)).images] == [1, 0, 0]


def test_a_bad_file_is_named(tmp_path: Path, write) -> None:
    with pytest.raises(DatasetError, match=r"no train\*\.parquet there"):
        load_dataset(spec(tmp_path))
    path = write(tmp_path / "train.parquet", "no parquet")
    with pytest.raises(DatasetError, match=r"train\.parquet: no Parquet file that can be read"):
        load_dataset(spec(tmp_path))
    parquet.write_table(pyarrow.table({"image": [1]}), path)
    with pytest.raises(DatasetError, match=r"train\.parquet: no column objects"):
        load_dataset(spec(tmp_path))
    table(path, [b"no image"], [[0]])
    with pytest.raises(DatasetError, match=r"row 0 of group 0: image .*: not an image of a format that is read"):
        load_dataset(spec(tmp_path))
    with pytest.raises(DatasetError, match="no Parquet file"):
        load_dataset(spec(tmp_path / "missing.parquet"))
