"""Exported explanations are data sets: read again, by the tuner and by their own tools, they hold the same boxes."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from torch import nn

from tracer.cli import _FORMS, main
from tracer.config import TraceConfig
from tracer.explanation import Explanation
from tracer.exports import FORMS, export
from tracer.models import Model
from tracer.reading import Trace
from tracer.settings import Settings
from tuner.datasets import ImageList, load_dataset
from tuner.spec.job import CocoSpec, CsvSpec, ImageFolderSpec, ParquetSpec

MODEL = replace(Model.of(nn.Sequential(), "own:net"), categories=("cat", "tiger, striped"))


def explanation(source: Path, target: int, row: int) -> Explanation:
    """Four points around one place of an image."""
    points = np.array([(row, 4), (row, 5), (row + 1, 4), (row + 1, 5)])
    trace = Trace(points, np.full(4, 0.25), (16, 16), target, 0.75, "image", (32, 32))
    settings = Settings(config=TraceConfig(box="points"))
    return Explanation.of(trace, Image.open(source), MODEL, settings, source)


@pytest.fixture
def explanations(tmp_path: Path) -> list[Explanation]:
    """Two of one image; one of another that has the same name; one of an image that its file turns."""
    rng = np.random.default_rng(0)
    places = [tmp_path / "a/photo.png", tmp_path / "b/photo.png", tmp_path / "turned.jpg"]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (60, 90, 3), dtype=np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 6 if place.suffix == ".jpg" else 1
        picture.save(place, exif=exif)
    first, second, turned = places
    return [explanation(first, 1, 2), explanation(first, 0, 9), explanation(second, 0, 5), explanation(turned, 1, 7)]


def read_again(folder: Path, form: str, labels: Path) -> ImageList:
    spec = {
        "coco": lambda: CocoSpec(kind="coco", root=folder, split="explained", labels=labels),
        "imagefolder": lambda: ImageFolderSpec(kind="imagefolder", root=folder, labels=labels),
        "csv": lambda: CsvSpec(kind="csv", root=folder, labels=labels),
        "parquet": lambda: ParquetSpec(kind="parquet", root=folder, labels=labels),
    }[form]()
    return load_dataset(spec)


@pytest.mark.parametrize("form", FORMS)
def test_the_tuner_reads_the_boxes_and_pixels_that_were_explained(
    explanations: list[Explanation], tmp_path: Path, form: str
) -> None:
    labels = tmp_path / "names.txt"
    labels.write_text("cat\ntiger, striped\n")
    export(explanations, tmp_path / "out", form)
    dataset = read_again(tmp_path / "out", form, labels)
    assert [len(image.boxes) for image in dataset.images] == [2, 1, 1]
    assert [image.label for image in dataset.images] == [1, 0, 1]
    boxes = np.concatenate([image.boxes for image in dataset.images])
    assert np.allclose(boxes, [each.box for each in explanations], atol=1e-9)
    for image, shown in zip(dataset.images, [explanations[0], *explanations[2:]], strict=True):
        assert np.array_equal(np.asarray(image.open()), np.asarray(shown.picture()))


@pytest.mark.parametrize("form", ["coco", "imagefolder", "csv"])
def test_maps_lie_where_the_list_says(explanations: list[Explanation], tmp_path: Path, form: str) -> None:
    path = export(explanations, tmp_path / "out", form)
    maps = sorted((tmp_path / "out/heatmaps").iterdir())
    assert len(maps) == 4
    assert all(f"heatmaps/{place.name}" in path.read_text() for place in maps)
    with Image.open(tmp_path / "out/heatmaps/photo.png-0.png") as drawn:
        assert drawn.size == (32, 32)
        assert np.array_equal(np.asarray(drawn), (255 * explanations[0].shown_map).round())


def test_coco_names_classes_by_their_index_and_says_how_sure(explanations: list[Explanation], tmp_path: Path) -> None:
    content = json.loads(export(explanations, tmp_path, "coco").read_text())
    assert content["categories"] == [{"id": 0, "name": "cat"}, {"id": 1, "name": "tiger, striped"}]
    assert content["images"][2] == {"id": 3, "file_name": "turned.png", "width": 60, "height": 90}
    first = content["annotations"][0]
    x0, y0, x1, y1 = explanations[0].box
    assert first["bbox"] == [x0, y0, x1 - x0, y1 - y0]
    assert (first["category_id"], first["score"], first["architecture"]) == (1, 0.75, "own:net")


def test_hugging_faces_datasets_read_what_is_theirs(explanations: list[Explanation], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    export(explanations, tmp_path / "folder", "imagefolder")
    export(explanations, tmp_path / "table", "parquet")
    sources = [("imagefolder", {"data_dir": str(tmp_path / "folder")})]
    sources.append(("parquet", {"data_files": str(tmp_path / "table/train.parquet")}))
    for kind, where in sources:
        rows = datasets.load_dataset(kind, split="train", cache_dir=str(tmp_path / "cache"), **where)
        assert len(rows) == 3
        assert rows[0]["image"].size == (90, 60)
        assert rows[0]["objects"]["categories"] == ["tiger, striped", "cat"]
        x0, y0, x1, y1 = explanations[1].box
        assert rows[0]["objects"]["bbox"][1] == [x0, y0, x1 - x0, y1 - y0]
    assert rows[0]["objects"]["heatmap"][0].size == (32, 32)


def test_the_command_exports_a_folder_of_explanations(explanations: list[Explanation], tmp_path: Path) -> None:
    assert _FORMS == FORMS
    for number, each in enumerate(explanations):
        each.save(tmp_path / "explained", str(number))
    call = ["export", str(tmp_path / "explained"), "--to", "csv", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(main, call, catch_exceptions=False)
    assert done.output == f"4 explanations -> {tmp_path / 'out/boxes.csv'}\n"
    assert len((tmp_path / "out/boxes.csv").read_text().splitlines()) == 5
    (tmp_path / "a/photo.png").unlink()
    refused = CliRunner().invoke(main, call)
    assert refused.exit_code == 2
    assert "no such image" in refused.stderr
    nothing = CliRunner().invoke(main, ["export", str(tmp_path / "out"), "--to", "csv", "-o", str(tmp_path / "new")])
    assert "no explanation there" in nothing.stderr


@pytest.mark.parametrize("form", FORMS)
def test_names_that_are_no_utf_8_or_hold_line_breaks_are_read_again(tmp_path: Path, form: str) -> None:
    """The names of the copies may differ from those of the images; no two of them are the same."""
    rng = np.random.default_rng(0)
    (tmp_path / "b").mkdir()
    places = [
        tmp_path / name for name in (os.fsdecode(b"caf\xe9.png"), "a\nb.png", "x-1.png", "x.png", "b/x.png", "x.1.png")
    ]
    for place in places:
        Image.fromarray(rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(place, "PNG")
    saved = [explanation(place, 0, 2) for place in places]
    saved[0].save(tmp_path / "saved", "0")
    again = [Explanation.load(tmp_path / "saved/0.explanation.json"), *saved[1:]]
    assert [each.source for each in again] == [str(place) for place in places]
    labels = tmp_path / "names.txt"
    labels.write_text("cat\ntiger, striped\n")
    export(again, tmp_path / "out", form)
    dataset = read_again(tmp_path / "out", form, labels)
    assert len(dataset) == len(places)
    if form != "parquet":
        assert len(list((tmp_path / "out/heatmaps").iterdir())) == len(places)
