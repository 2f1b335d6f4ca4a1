"""The published pipeline: crops, points, comparison; on real images where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from experiments.cache import Cache
from experiments.errors import SettingError
from experiments.fixations import CROP, CnnFixations, Fixations, read_boxes
from experiments.methods import Subject, find_method
from experiments.records import Found, collect
from experiments.sampling import Sample
from tracer import Alpha, Model, TraceConfig, load_model
from tuner.datasets import ImageList, load_dataset
from tuner.spec.job import ImagenetSpec


@pytest.fixture
def wide() -> Model:
    """A network for crops: class 0 is the red of an image, class 1 stands where there is none."""
    head = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 0]])[:, :, None, None])
        head.bias.copy_(torch.tensor([0.0, 0.5]))
    return Model.of(nn.Sequential(head, nn.ReLU(), nn.MaxPool2d(CROP), nn.Flatten()).eval(), "wide")


def test_fixation_lies_where_the_evidence_is(wide: Model) -> None:
    pixels = np.zeros((300, 600, 3), dtype=np.uint8)
    pixels[100:110, 200:210, 0] = 255
    points = Fixations(wide).points(Image.fromarray(pixels))
    assert len(points) >= 1
    assert np.all((points >= [98, 198]) & (points <= [111, 211]))


@pytest.mark.parametrize("size", [(224, 224), (500, 333), (333, 500), (300, 256), (256, 1000), (20, 30)])
def test_crops_are_the_corners_and_the_centre_of_the_scaled_image(size: tuple[int, int], wide: Model) -> None:
    crops, offsets, factor = Fixations(wide)._crops(Image.new("RGB", size))
    assert crops.shape == (5, 3, CROP, CROP)
    assert factor == 256 / min(size)
    down, right = offsets.max(axis=0)
    assert offsets[:4].tolist() == [[0, 0], [0, right], [down, 0], [down, right]]
    assert offsets[4].tolist() == [down // 2, right // 2]
    assert (down + CROP, right + CROP) == (int(size[1] * factor), int(size[0] * factor))


def test_agreement_averages_over_images(bright_images: ImageList) -> None:
    figures = [(1.0, 0.6, 0.4), (0.8, 0.3, 0.2)]
    records = [
        {name: np.array(v) for name, v in zip(("agreement", "ours", "theirs"), row, strict=True)} for row in figures
    ]
    found = Found(Sample.of(bright_images.images[:2]), {"cnn-fixations": records})
    total, each = CnnFixations({}).result(found, 0).tables
    (row,) = total.rows
    assert (row["images"], row["mean_iou"], row["same_90"]) == (2, pytest.approx(0.9), 50)
    assert (row["success"], row["authors_success"]) == (50, 0)
    assert [one["image"] for one in each.rows] == ["box-4", "box-30"]


def test_published_boxes_include_their_last_pixel(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("image,x0,y0,x1,y1\na,1,2,3,4\n")
    assert read_boxes(path)["a"].tolist() == [1, 2, 4, 5]


def test_missing_or_other_box_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no\.csv: No such file"):
        read_boxes(tmp_path / "no.csv")
    (tmp_path / "other.csv").write_text("image,x\na,1\n")
    with pytest.raises(SettingError, match="write the columns"):
        read_boxes(tmp_path / "other.csv")


def test_image_without_published_box_is_named(wide: Model, bright_images: ImageList) -> None:
    with pytest.raises(SettingError, match="box-4 has no published box"):
        CnnFixations({}).look(Subject(wide, TraceConfig(), Alpha()), [bright_images[0]])


@pytest.mark.slow
def test_boxes_on_real_images_agree_with_the_authors(data: Path, cache: Cache) -> None:
    checkpoints, images = data / "checkpoints", data / "imagenet"
    model = load_model(f"{checkpoints / 'networks.py'}:bvlc_googlenet", checkpoints / "bvlc_googlenet.pth")
    dataset = load_dataset(ImagenetSpec(kind="imagenet", root=images))
    published = read_boxes(images / "cnn_fixations_googlenet_boxes.csv")
    experiment, method = CnnFixations(published), find_method("cnn-fixations")
    sample, subject = Sample.of(dataset.images), Subject(model, TraceConfig(), Alpha())
    (row,) = experiment.result(collect(experiment, [method], sample, subject, cache=cache), 0).tables[0].rows
    assert row["images"] == 400
    assert row["mean_iou"] >= 0.80
    assert abs(row["success"] - row["authors_success"]) <= 3
