from pathlib import Path

import pytest

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import VocSpec


def spec(root: Path, **more: object) -> VocSpec:
    return VocSpec(kind="voc", root=root, **more)


@pytest.fixture
def year(tmp_path: Path, save, write, annotation) -> Path:
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    save(folder / "JPEGImages/2007_000027.jpg")
    save(folder / "JPEGImages/2007_000032.jpg")
    write(folder / "Annotations/2007_000027.xml", annotation(("person", 1, 1, 100, 80), part=True))
    write(folder / "Annotations/2007_000032.xml", annotation(("dog", 11.5, 21, 30, 40), ("cat", 1, 1, 90, 80)))
    write(folder / "ImageSets/Main/val.txt", "2007_000027\n2007_000032\n\n")
    write(folder / "ImageSets/Main/dog_val.txt", "2007_000032  1\n")
    return folder


def test_corners_count_from_1_and_are_inclusive(year: Path) -> None:
    dataset = load_dataset(spec(year))
    assert [image.id for image in dataset.images] == ["2007_000027", "2007_000032"]
    assert dataset[0].boxes.tolist() == [[0, 0, 100, 80]]
    assert dataset[1].boxes.tolist() == [[10.5, 20, 30, 40], [0, 0, 90, 80]]
    assert dataset[0].label is None


def test_the_root_may_hold_the_year(year: Path) -> None:
    assert load_dataset(spec(year.parent)).sha256 == load_dataset(spec(year)).sha256


def test_a_devkit_of_two_years_must_be_told_which(year: Path, write, annotation) -> None:
    write(year.parent / "VOC2007/Annotations/a.xml", annotation())
    with pytest.raises(DatasetError, match=r"not one VOC year \(VOC2007, VOC2012\); let dataset\.root"):
        load_dataset(spec(year.parent))


def test_a_split_of_a_class_is_a_split(year: Path) -> None:
    assert [image.id for image in load_dataset(spec(year, split="dog_val")).images] == ["2007_000032"]


def test_the_label_is_that_of_the_largest_instance(year: Path, write) -> None:
    names = write(year / "names.txt", "cat\ndog\nperson\n")
    dataset = load_dataset(spec(year, labels=names), labelled=True)
    assert [image.label for image in dataset.images] == [2, 0]


def test_a_class_that_the_network_does_not_know_is_named(year: Path, write) -> None:
    names = write(year / "names.txt", "cat\ndogs\nperson\n")
    with pytest.raises(DatasetError, match=r"2007_000032\.xml:5: class 'dog' \(nearest: dogs\) is not in"):
        load_dataset(spec(year, labels=names))


def test_a_corner_of_0_lies_outside(year: Path, write, annotation) -> None:
    write(year / "Annotations/2007_000027.xml", annotation(("dog", 0, 1, 9, 9)))
    with pytest.raises(DatasetError, match=r"2007_000027\.xml:5: .* box \(-1, 0, 9, 9\) reaches outside"):
        load_dataset(spec(year))


def test_an_object_without_corners_is_named(year: Path, write) -> None:
    write(year / "Annotations/2007_000027.xml", "<annotation>\n<object><name>dog</name></object></annotation>")
    with pytest.raises(DatasetError, match=r"2007_000027\.xml:2: object 'dog' has no bndbox of four numbers"):
        load_dataset(spec(year))


def test_a_missing_image_annotation_or_split_is_named(year: Path) -> None:
    (year / "JPEGImages/2007_000032.jpg").unlink()
    with pytest.raises(DatasetError, match=r"val\.txt:2: image .*2007_000032\.jpg: no such image"):
        load_dataset(spec(year))
    (year / "Annotations/2007_000027.xml").unlink()
    with pytest.raises(DatasetError, match=r"2007_000027\.xml: no such annotation"):
        load_dataset(spec(year))
    with pytest.raises(DatasetError, match=r"tset\.txt: no such file; check root, split"):
        load_dataset(spec(year, split="tset"))


LAUGHS = (
    "<!DOCTYPE a [<!ENTITY a0 'xxxxxxxxxx'>"
    + "".join(f"<!ENTITY a{n + 1} '{f'&a{n};' * 10}'>" for n in range(9))
    + "]><annotation><object><name>&a9;</name></object></annotation>"
)
"""A text of 10¹⁰ letters, by entities."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a>\n" * 100_000, r"xml:33: more than 32 levels deep"),
        (" " * 1_000_001, r"xml: longer than 1000000 bytes"),
        (LAUGHS, r"xml:1: not XML \(limit on input amplification"),
        (
            "<?xml version='1.0' encoding='nonsense'?><annotation/>",
            r"xml:?.*: (cannot be read|not XML) \(unknown encoding",
        ),
        ("<?xml version='1.0' encoding='utf-7'?><annotation/>", r"xml:?.*: (cannot be read|not XML) \("),
    ],
    ids=lambda value: value[:20],
)
def test_an_annotation_beyond_all_bounds_is_one_line(year: Path, write, text: str, expected: str) -> None:
    write(year / "Annotations/2007_000027.xml", text)
    with pytest.raises(DatasetError, match=r"2007_000027\." + expected):
        load_dataset(spec(year))
