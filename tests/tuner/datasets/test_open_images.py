from pathlib import Path

import pytest

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import OpenImagesSpec

HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n"


@pytest.fixture
def table(tmp_path: Path, save, write) -> Path:
    save(tmp_path / "validation/0001.jpg")
    write(tmp_path / "class-descriptions-boxable.csv", "/m/01yrx,Cat\n/m/0bt9lr,Dog\n")
    return write(
        tmp_path / "validation-annotations-bbox.csv",
        f"{HEADER}0001,xclick,/m/01yrx,1,0.1,0.5,0.25,1,0,0,0\n0001,xclick,/m/0bt9lr,1,0,1,0,1,0,0,1\n"
        "0002,xclick,/m/01yrx,1,0,1,0,1,0,0,0\n",
    )


def spec(table: Path, **more: object) -> OpenImagesSpec:
    return OpenImagesSpec(kind="open_images", root=table.parent, **more)


def test_corners_are_parts_of_the_image_and_groups_are_left_out(table: Path) -> None:
    (image,) = load_dataset(spec(table)).images  # 0002 is not at hand
    assert image.id == "0001"
    assert image.boxes.tolist() == [[10, 20, 50, 80]]
    assert image.label is None


def test_classes_are_known_by_their_english_names(table: Path, write) -> None:
    names = write(table.parent / "names.txt", "Dog\nCat\n")
    assert load_dataset(spec(table, labels=names))[0].label == 1


def test_the_file_of_version_6_is_found(table: Path) -> None:
    table.rename(table.with_name("oidv6-validation-annotations-bbox.csv"))
    assert len(load_dataset(spec(table))) == 1


def test_a_table_that_is_none_is_named(table: Path, write) -> None:
    write(table, f"{HEADER}0001,x,/m/01yrx,1,0.1\n")
    with pytest.raises(DatasetError, match=r"bbox\.csv:2: 5 cells and not 11"):
        load_dataset(spec(table))
    write(table, f"{HEADER}0001,x,/m/01yrx,1,left,1,0,1,0,0,0\n")
    with pytest.raises(DatasetError, match=r"bbox\.csv:2: .*'left'; write numbers from 0 to 1"):
        load_dataset(spec(table))
    write(table, "ImageID,XMin,XMax\n")
    with pytest.raises(DatasetError, match=r"bbox\.csv:1: no column LabelName, YMin, YMax"):
        load_dataset(spec(table))
