from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import VocSegmentationSpec


def mask(path: Path, *parts: tuple[int, int, int, int, int], size: tuple[int, int] = (100, 80)) -> None:
    """A mask with rectangles x0, y0, x1, y1 of a number, later ones over earlier."""
    numbers = np.zeros(size[::-1], dtype=np.uint8)
    for x0, y0, x1, y1, number in parts:
        numbers[y0:y1, x0:x1] = number
    picture = Image.fromarray(numbers, "L").convert("P")
    picture.putdata(numbers.reshape(-1).tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def year(tmp_path: Path, save, write) -> Path:
    folder = tmp_path / "VOC2012"
    save(folder / "JPEGImages/1.jpg")
    (folder / "Annotations").mkdir()
    write(folder / "ImageSets/Segmentation/val.txt", "1\n")
    mask(folder / "SegmentationObject/1.png", (10, 20, 50, 60, 255), (12, 22, 48, 58, 1), (60, 0, 100, 80, 2))
    mask(folder / "SegmentationClass/1.png", (12, 22, 48, 58, 8), (60, 0, 100, 80, 12), (60, 0, 70, 80, 8))
    return folder


def spec(root: Path, **more: object) -> VocSegmentationSpec:
    return VocSegmentationSpec(kind="voc_segmentation", root=root, **more)


def test_boxes_are_the_tightest_around_each_mask(year: Path, write) -> None:
    names = write(year / "names.txt", "cat\ndog\n")
    (image,) = load_dataset(spec(year.parent, labels=names)).images
    assert image.boxes.tolist() == [[12, 22, 48, 58], [60, 0, 100, 80]]
    assert image.label == 1  # of the larger object, by most of its pixels


def test_masks_that_do_not_fit_are_named(year: Path) -> None:
    mask(year / "SegmentationClass/1.png", (12, 22, 48, 58, 8))
    with pytest.raises(DatasetError, match=r"Object/1\.png: object 2: class 0 is none of VOC's"):
        load_dataset(spec(year))
    mask(year / "SegmentationClass/1.png", size=(50, 80))
    with pytest.raises(DatasetError, match=r"Object/1\.png: another size than the mask of classes"):
        load_dataset(spec(year))
    Image.new("RGB", (100, 80)).save(year / "SegmentationClass/1.png")
    with pytest.raises(DatasetError, match=r"Class/1\.png: no mask of one number a pixel"):
        load_dataset(spec(year))
    (year / "SegmentationClass/1.png").unlink()
    with pytest.raises(DatasetError, match=r"Class/1\.png: no such image"):
        load_dataset(spec(year))
