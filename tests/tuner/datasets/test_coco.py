import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner.datasets import ImageList, load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import CocoSpec


def content() -> dict[str, Any]:
    return {
        "info": {},
        "licenses": [],
        "images": [
            {"id": 139, "file_name": "000000000139.jpg", "width": 100, "height": 80},
            {"id": 285, "file_name": "000000000285.jpg", "width": 100, "height": 80},
            {"id": 632, "file_name": "000000000632.jpg", "width": 100, "height": 80},
        ],
        "annotations": [
            {"id": 1, "image_id": 139, "category_id": 90, "bbox": [10.5, 20.25, 30, 40], "iscrowd": 0, "area": 9.0},
            {"id": 2, "image_id": 139, "category_id": 1, "bbox": [0, 0, 100.01, 80], "iscrowd": 0, "area": 9.0},
            {"id": 3, "image_id": 285, "category_id": 90, "bbox": [0, 0, 9, 9], "iscrowd": 0, "area": 9.0},
            {"id": 4, "image_id": 285, "category_id": 1, "bbox": [0, 0, 500, 500], "iscrowd": 1, "area": 9.0},
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "tooth brush"}],
    }


@pytest.fixture
def load(tmp_path: Path, save, write) -> Callable[..., ImageList]:
    for name in ("000000000139", "000000000285", "000000000632"):
        save(tmp_path / f"val2017/{name}.jpg")

    def made(text: str, **options: Any) -> ImageList:
        write(tmp_path / "annotations/instances_val2017.json", text)
        labels = write(tmp_path / "names.txt", "tooth brush\nperson\n")
        return load_dataset(CocoSpec(kind="coco", root=tmp_path, labels=labels), **options)

    return made


def test_boxes_are_corner_and_extent_cut_to_the_image(load) -> None:
    dataset = load(json.dumps(content()))
    assert dataset[0].boxes.tolist() == [[10.5, 20.25, 40.5, 60.25], [0, 0, 100, 80]]
    assert [image.label for image in dataset.images] == [1, 0]


def test_crowds_and_images_without_instances_are_left_out(load) -> None:
    dataset = load(json.dumps(content()))
    assert [image.id for image in dataset.images] == ["000000000139.jpg", "000000000285.jpg"]
    assert len(dataset[1].boxes) == 1
    assert dataset.left_out == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bbox": [10, 10, 0, 5]}, r"annotation 1: image 000000000139.jpg: box \(10, 10, 10, 15\) is empty"),
        ({"bbox": [10, 10, -3, 5]}, r"annotation 1: .* is inverted"),
        ({"bbox": [90, 10, 12, 5]}, r"annotation 1: .* reaches outside its image of 100 x 80"),
        ({"bbox": [90, 10]}, r"not COCO instances \(ValueError"),
        ({"bbox": None}, r"not COCO instances \(TypeError"),
        ({"bbox": [0, 0, 10**400, 5]}, r"not COCO instances \(OverflowError"),
        ({"bbox": [0, 0, 1e400, 5]}, r"annotation 1: .* is not finite"),
        ({"category_id": 7}, r"not COCO instances \(KeyError: 7\)"),
        ({"image_id": 7}, r"annotation 1: image_id 7 is not among the images"),
    ],
)
def test_a_bad_annotation_is_named_by_its_id(load, change: dict[str, Any], expected: str) -> None:
    changed = content()
    changed["annotations"][0] |= change
    with pytest.raises(DatasetError, match=rf"instances_val2017\.json: {expected}"):
        load(json.dumps(changed))


def test_a_file_that_is_not_cocos_is_refused(load) -> None:
    with pytest.raises(DatasetError, match=r"json:2: not JSON"):
        load('{"images":\n oops}')
    with pytest.raises(DatasetError, match="not COCO instances"):
        load("[]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 100_000, r"json: not COCO instances \(lists too deep"),
        ('{"images": ' + "9" * 5000 + "}", r"json: cannot be read \(Exceeds the limit"),
        ('{"images": 3, "annotations": {}, "categories": []}', "not COCO instances"),
    ],
)
def test_a_deep_or_huge_file_is_one_line(load, text: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        load(text)


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    with (tmp_path / "annotations" / "instances_val2017.json").open("wb") as file:
        file.truncate(2**30 + 1)  # a hole: nothing is written
    with pytest.raises(DatasetError, match="longer than 1073741824 bytes"):
        load_dataset(CocoSpec(kind="coco", root=tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"instances_val2014\.json: no such file; check root, split"):
        load_dataset(CocoSpec(kind="coco", root=tmp_path, split="val2014"))
