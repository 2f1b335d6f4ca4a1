from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.datasets import ImageList, load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import YoloSpec


@pytest.fixture
def load(tmp_path: Path, save, write) -> Callable[..., ImageList]:
    save(tmp_path / "images/val/a.jpg")
    save(tmp_path / "images/val/b.png")
    write(tmp_path / "data.yaml", "path: .\nnames: {0: cat, 1: dog}\n")

    def made(text: str, labels: str | None = None) -> ImageList:
        write(tmp_path / "labels/val/a.txt", text)
        names = write(tmp_path / "names.txt", labels) if labels else None
        return load_dataset(YoloSpec(kind="yolo", root=tmp_path, labels=names))

    return made


def test_centres_and_extents_are_parts_of_the_image(load) -> None:
    dataset = load("0 0.5 0.5 1 1\n\n1 0.25 0.5 0.1 0.5\n")
    assert [image.id for image in dataset.images] == ["a.jpg"]  # b shows no object
    assert dataset[0].boxes.tolist() == [[0, 0, 100, 80], [20, 20, 30, 60]]
    assert dataset[0].label is None


def test_an_outline_has_the_tightest_box_around_it(load) -> None:
    assert load("0 0.1 0.5 0.5 0.25 0.3 0.75\n")[0].boxes.tolist() == [pytest.approx([10, 20, 50, 60])]


def test_what_tools_round_is_cut_off(load) -> None:
    assert load("0 0.500001 0.5 1 1\n")[0].boxes[0, 2] == 100
    with pytest.raises(DatasetError, match=r"a\.txt:1: image a\.jpg: box .* reaches outside"):
        load("0 0.6 0.5 1 1\n")


def test_numbers_of_classes_are_named_by_either_file(load, tmp_path: Path, write) -> None:
    assert load("1 0.5 0.5 1 1\n", labels="dog\ncat\n")[0].label == 0
    write(tmp_path / "data.yaml", "names: [dog, cat]\n")
    assert load("1 0.5 0.5 1 1\n", labels="dog\ncat\n")[0].label == 1
    write(tmp_path / "classes.txt", "cat\ndog\n")
    assert load("1 0.5 0.5 1 1\n", labels="dog\ncat\n")[0].label == 0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 0.5 0.5 1", r"a\.txt:2: 3 numbers after the class; write class x y width height"),
        ("0 0.5 0.5 1 1 1", r"a\.txt:2: 5 numbers after the class"),
        ("cat 0.5 0.5 1 1", r"a\.txt:2: invalid literal .*'cat'; write class x y width height"),
        ("0 0.5 0.5 0 1", r"a\.txt:2: image a\.jpg: .* is empty"),
        ("0 nan 0.5 1 1", r"a\.txt:2: image a\.jpg: .* is not finite"),
    ],
)
def test_a_bad_line_is_named(load, line: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        load(f"0 0.5 0.5 1 1\n{line}\n")


def test_a_missing_folder_or_name_is_named(load, tmp_path: Path, write) -> None:
    with pytest.raises(DatasetError, match=r"images/train: no such folder"):
        load_dataset(YoloSpec(kind="yolo", root=tmp_path, split="train"))
    with pytest.raises(DatasetError, match=r"a\.txt:1: class '7' is not in"):
        load("7 0.5 0.5 1 1\n", labels="cat\ndog\n")
    write(tmp_path / "data.yaml", "nc: 2\n")
    with pytest.raises(DatasetError, match=r"data\.yaml: no list of names; write names: \[cat, dog\]"):
        load("0 0.5 0.5 1 1\n", labels="cat\ndog\n")
