from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.datasets import ImageList, load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import CsvSpec


@pytest.fixture
def load(tmp_path: Path, save, write) -> Callable[..., ImageList]:
    save(tmp_path / "cats/1.jpg")
    save(tmp_path / "2.png")

    def made(text: str, labels: str | None = None, **options: bool) -> ImageList:
        write(tmp_path / "boxes.csv", text)
        names = write(tmp_path / "names.txt", labels) if labels else None
        return load_dataset(CsvSpec(kind="csv", root=tmp_path / "boxes.csv", labels=names), **options)

    return made


def test_boxes_are_half_open_and_gathered_by_image(load) -> None:
    dataset = load("image,x0,y0,x1,y1,label\ncats/1.jpg,0,0,100,80,7\n2.png,1,2,3.5,4,\ncats/1.jpg,1,1,2,2,3\n")
    assert [image.id for image in dataset.images] == ["cats/1.jpg", "2.png"]
    assert dataset[0].boxes.tolist() == [[0, 0, 100, 80], [1, 1, 2, 2]]
    assert dataset[1].boxes.tolist() == [[1, 2, 3.5, 4]]
    assert (dataset[0].label, dataset[1].label) == (7, None)


def test_labels_may_be_missing_or_names(load) -> None:
    assert load("image,x0,y0,x1,y1\n2.png,0,0,1,1\n")[0].label is None
    assert load("image,x0,y0,x1,y1,label\n2.png,0,0,1,1,dog\n", labels="cat\ndog\n")[0].label == 1


def test_a_spreadsheets_mark_at_the_start_is_no_part_of_the_header(load) -> None:
    assert len(load("\ufeffimage,x0,y0,x1,y1\n2.png,0,0,1,1\n")) == 1


def test_the_root_may_be_a_folder_with_one_file(tmp_path: Path, load) -> None:
    one = load("image,x0,y0,x1,y1\n2.png,0,0,1,1\n")
    assert load_dataset(CsvSpec(kind="csv", root=tmp_path)).sha256 == one.sha256
    (tmp_path / "other.csv").touch()
    with pytest.raises(DatasetError, match=r"not one CSV file \(boxes\.csv, other\.csv\); let dataset\.root name"):
        load_dataset(CsvSpec(kind="csv", root=tmp_path))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2.png,0,0,101,80,", r"csv:3: image 2\.png: box \(0, 0, 101, 80\) reaches outside its image of 100 x 80"),
        ("2.png,-0.5,0,10,80,", r"csv:3: .*reaches outside"),
        ("2.png,5,0,5,80,", r"csv:3: .*is empty"),
        ("2.png,9,0,5,80,", r"csv:3: .*is inverted"),
        ("2.png,inf,0,5,80,", r"csv:3: .*is not finite"),
        ("2.png,a,0,5,80,", r"csv:3: could not convert string to float: 'a'; write image,x0,y0,x1,y1"),
        ("2.png,1,0", r"csv:3: 3 cells; write image,x0"),
        ("2.png,0,0,5,5,dog,cat", r"csv:3: 7 cells; write image,x0,y0,x1,y1,label"),
        ("2.png,0,0,5,5," + "9" * 5000, r"csv:3: label of 5000 digits; no network has so many classes"),
        ("2.png,0,0,5,5,4294967296", r"csv:3: label of 10 digits; no network"),
        ("2.png,0,0,5,5," + "x" * 131_073, r"csv:3: not CSV \(field larger than field limit \(131072\)\)"),
        ("\0,0,0,5,5,", r"csv:3: image .*embedded null byte"),
        ("x" * 300 + ".png,0,0,5,5,", r"csv:3: image .*File name too long"),
        ("2.png,0,0,5,5,dog", r"csv:3: label 'dog' is no index; write one, or name the order in dataset\.labels"),
        ("3.png,0,0,5,5,", r"csv:3: image .*3\.png: no such image; check the path"),
        ('2.png,"0,0,5,5,', r"csv:3: not CSV"),
    ],
)
def test_a_bad_line_is_named(load, line: str, expected: str) -> None:
    with pytest.raises(DatasetError, match=expected):
        load(f"image,x0,y0,x1,y1,label\ncats/1.jpg,0,0,9,9,\n{line}\n")


def test_other_columns_are_refused(load) -> None:
    with pytest.raises(DatasetError, match=r"csv:1: the columns are not image,x0,y0,x1,y1\[,label\]"):
        load("image,x,y,w,h\n2.png,0,0,1,1\n")


def test_a_header_that_is_no_csv_is_refused(load) -> None:
    with pytest.raises(DatasetError, match=r"csv:1: not CSV \(field larger"):
        load("x" * 131_073 + "\n")


@pytest.mark.parametrize("name", ["x" * 300, "file/in/file"])
def test_a_root_that_cannot_be_looked_at_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"cannot be read"):
        load_dataset(CsvSpec(kind="csv", root=tmp_path / name))


def test_a_file_without_images_is_refused(load) -> None:
    with pytest.raises(DatasetError, match=r"boxes\.csv: no image to use"):
        load("image,x0,y0,x1,y1\n")
