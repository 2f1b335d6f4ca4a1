import json
from pathlib import Path

import pytest

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import ImageFolderSpec


@pytest.fixture
def folder(tmp_path: Path, save, write) -> Path:
    save(tmp_path / "train/pets/1.jpg")
    save(tmp_path / "train/2.png")
    lines = [
        {
            "file_name": "pets/1.jpg",
            "objects": {"bbox": [[0, 0, 9, 9], [10, 20, 90, 60]], "categories": ["cat", "dog"]},
        },
        {"file_name": "2.png", "text": "a cat", "objects": [{"bbox": [0.5, 1, 2, 3], "label": 7}]},
    ]
    write(tmp_path / "train/metadata.jsonl", "\n".join(map(json.dumps, lines)) + "\n")
    return tmp_path


def spec(root: Path, **more: object) -> ImageFolderSpec:
    return ImageFolderSpec(kind="imagefolder", root=root, **more)


def test_boxes_are_those_of_coco(folder: Path) -> None:
    dataset = load_dataset(spec(folder))
    assert [image.id for image in dataset.images] == ["pets/1.jpg", "2.png"]
    assert dataset[0].boxes.tolist() == [[0, 0, 9, 9], [10, 20, 100, 80]]
    assert dataset[1].boxes.tolist() == [[0.5, 1, 2.5, 4]]
    assert dataset[0].label is None


def test_the_split_may_be_the_root(folder: Path) -> None:
    assert load_dataset(spec(folder / "train")).sha256 == load_dataset(spec(folder)).sha256


def test_categories_are_names_in_the_order_given(folder: Path, write) -> None:
    names = write(folder / "names.txt", "dog\ncat\n7\n")
    assert [image.label for image in load_dataset(spec(folder, labels=names)).images] == [0, 2]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", r"jsonl:1: no line of metadata \(JSONDecodeError"),
        ("[" * 100_000, r"jsonl:1: no line of metadata \(RecursionError"),
        ('{"file_name": "2.png"}', r"jsonl:1: no line of metadata \(KeyError: 'objects'\)"),
        ('{"file_name": "2.png", "objects": {}}', r"jsonl:1: no objects with boxes \(KeyError: 'bbox'\)"),
        ('{"file_name": "2.png", "objects": {"bbox": [[1, 2]]}}', r"jsonl:1: no objects with boxes \(ValueError"),
        ('{"file_name": "2.png", "objects": {"bbox": [[1, 2, 3, 4]], "label": []}}', r"jsonl:1: no objects .*zip"),
        ('{"file_name": "2.png", "objects": {"bbox": []}}', r"jsonl:1: image 2\.png has no box"),
        ('{"file_name": "3.png", "objects": {"bbox": [[1, 2, 3, 4]]}}', r"jsonl:1: image .*3\.png: no such image"),
    ],
    ids=lambda value: value[:40],
)
def test_a_bad_line_is_named(folder: Path, write, line: str, expected: str) -> None:
    write(folder / "train/metadata.jsonl", line + "\n")
    with pytest.raises(DatasetError, match=expected):
        load_dataset(spec(folder))
