import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tuner.datasets import ImageList, load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import FolderSpec


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., ImageList]:
    return lambda **options: load_dataset(FolderSpec(kind="folder", root=tmp_path), **options)


def test_images_lie_anywhere_under_the_folder_without_boxes_or_labels(load, tmp_path: Path, save, write) -> None:
    save(tmp_path / "b.PNG")
    save(tmp_path / "deep/er/a.jpg")
    save(tmp_path / ".thumbnails/b.png")
    write(tmp_path / "notes.txt", "no image")
    dataset = load()
    assert [image.id for image in dataset.images] == ["b.PNG", "deep/er/a.jpg"]
    assert dataset[0].boxes.shape == (0, 4)
    assert dataset[0].label is None
    assert dataset[0].open().size == (dataset[0].width, dataset[0].height) == (100, 80)


def test_a_photograph_is_turned_upright(load, tmp_path: Path) -> None:
    photograph = Image.new("RGB", (100, 80))
    photograph.paste("white", (0, 0, 100, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # rows run down the right side
    photograph.save(tmp_path / "phone.png", exif=exif)
    image = load()[0]
    assert (image.width, image.height) == image.open().size == (80, 100)
    assert image.open().getpixel((75, 50)) == (255, 255, 255)


def test_a_bad_image_is_named_or_left_out(load, tmp_path: Path, save, write) -> None:
    save(tmp_path / "good.jpg")
    write(tmp_path / "bad.jpg", "no image")
    with pytest.raises(DatasetError, match=r"bad\.jpg: not an image of a format that is read"):
        load()
    dataset = load(skip_bad=True)
    assert [image.id for image in dataset.images] == ["good.jpg"]
    assert len(dataset.left_out) == 1


def test_a_folder_that_is_missing_or_empty_is_named(load, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no image to use"):
        load()
    with pytest.raises(DatasetError, match=r"no such folder; check dataset\.root"):
        load_dataset(FolderSpec(kind="folder", root=tmp_path / "none"))


def test_a_name_that_is_no_utf_8_is_named_or_left_out(load, tmp_path: Path, save) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / os.fsdecode(b"caf\xe9.png"))
    with pytest.raises(DatasetError, match=r"image caf\\udce9.png: its name is no UTF-8; rename it"):
        load()
    dataset = load(skip_bad=True)
    assert [image.id for image in dataset.images] == ["a.png"]
    assert dataset.sha256
