"""Whatever stands in a file that a user gives, the answer is a result or one error of the project's own."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fuzz.fuzzing import answer, damaged, fuzz, texts
from tracer.errors import ExplanationError, ImageError, WeightsError
from tracer.explanation import Explanation
from tracer.images import FORMATS, read_image
from tracer.weights import load_weights
from tuner.datasets import load_dataset
from tuner.errors import DatasetError, SpecError
from tuner.spec.job import CocoSpec, CsvSpec, ImagenetSpec, JobSpec, VocSpec, load_job, stored_job

JOBS = (
    """\
name: job
architecture: nets/mine.py:make
checkpoint: nets/a.pth
dataset: {kind: csv, root: boxes.csv, labels: names.txt, images: 10, skip_bad: true}
seed: 3
arms: {cur: [0.0, 0.5, 1], suc: [1], pre: [0, 1e-3]}
base: {cur: 1, suc: 1.0, pre: 0.5}
rounds: 2
policy: {kind: race, budget: 100, delta: 0.1, epsilon: 0.01}
reward: {iou: 0.5}
target: predicted
scoring: all
tracer: {location: center, successor: excess, convolution: 2, average_pool: 0.7, linear: positive}
workers: {count: 2, cpus: 1, gpus: 0.5, timeout: 10}
""",
    "architecture: resnet18\ndataset:\n  kind: coco\n  root: here\n  split: val2017\npolicy:\n  kind: optuna-tpe\n",
)

WEIGHTS = """\
format: 1
architecture: resnet18
weights: {cur: 1.0, suc: 0.5, pre: 0.1}
layers:
  layer4.1.conv2: {cur: 1.0}
tracer: {location: center, average_pool: 0.7, cut: 0.2}
evidence:
  cur: {pulls: 3000, interval: [0.4, 0.6], may_be_best: [0.0, 1.0], outcome: decided}
provenance: {job: a, created: 2026-01-31T10:00:00+00:00, checkpoint_sha256: null}
"""

ANNOTATION = """\
<?xml version="1.0" encoding="utf-8"?>
<annotation><size><width>10</width><height>8</height></size>
<object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object>
</annotation>
"""

COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1.5, 2, 3, 4.25], "iscrowd": 0},
            {"id": 2, "image_id": 2, "category_id": 4, "bbox": [0, 0, 10, 8]},
        ],
        "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
    }
)

SAVED = json.dumps(
    {
        "format": 1,
        "image": {"path": "a.png", "sha256": "ab", "width": 10, "height": 8},
        "class": {"index": 1, "name": "cat", "probability": 0.5},
        "box": [0.0, 1.5, 5.0, 6.0],
        "model": {"architecture": "net", "checkpoint_sha256": None, "input": {"height": 224, "width": 224}},
        "alpha": {"cur": 1.0, "suc": 1.0, "pre": 0.5},
        "layers": {"fc": {"cur": 1.0, "suc": 1.0, "pre": 1.0}},
        "tracer": {"location": "peak", "convolution": 2},
        "versions": {"torch": "2"},
        "points": [{"row": 3, "column": 4, "x": 5.0, "y": 6.0, "share": 0.25, "outlier": False}],
    }
)

NAMES = "cat\ndog\nold dog\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images in the place where each layout looks for them, and the files that are not mangled."""
    root = tmp_path_factory.mktemp("fuzz")
    for place in ("", "val2017", "JPEGImages", "Data/CLS-LOC/val"):
        (root / place).mkdir(parents=True, exist_ok=True)
        for name in ("a.png", "b.png", "a.jpg", "a.JPEG"):
            Image.new("RGB", (10, 8)).save(root / place / name)
    for place, text in (
        ("ImageSets/Main/val.txt", "a\n"),
        ("Annotations/a.xml", ANNOTATION),
        ("Annotations/CLS-LOC/val/a.xml", ANNOTATION),
        ("annotations/instances_val2017.json", COCO),
        ("names.txt", NAMES),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text)
    return root


def load(spec: Any) -> None:
    """The data set is read, or refused in one line."""

    def ask() -> None:
        dataset = load_dataset(spec, labelled=True)
        assert dataset.sha256
        assert dataset[0].open().mode == "RGB"

    answer(DatasetError, ask)


@fuzz(300)
@given(content=texts(*JOBS))
def test_job_files(folder: Path, content: bytes) -> None:
    (folder / "job.yaml").write_bytes(content)

    def ask() -> JobSpec:
        spec = load_job(folder / "job.yaml")
        assert stored_job(spec.name, json.loads(json.dumps(spec.canonical(), allow_nan=False))) == spec
        return spec

    spec = answer(SpecError, ask)
    if spec is not None and spec.dataset.kind != "digits":
        load(spec.dataset)


@fuzz(20)
@given(
    axes=st.dictionaries(st.sampled_from(["pre", "suc", "spread", "cut"]), st.integers(1, 20_000), min_size=1),
    search=st.sampled_from(["each", "joint"]),
)
def test_job_files_with_thousands_of_candidates(folder: Path, axes: dict[str, int], search: str) -> None:
    arms = {name: [rank / (size + 1) for rank in range(1, size + 1)] for name, size in axes.items()}
    job = f"architecture: resnet18\ndataset: {{kind: digits}}\nsearch: {search}\narms: {json.dumps(arms)}\n"
    (folder / "many.yaml").write_text(job)
    answer(SpecError, lambda: load_job(folder / "many.yaml"))


@fuzz(200)
@given(content=texts(WEIGHTS))
def test_weight_files(folder: Path, content: bytes) -> None:
    (folder / "weights.yaml").write_bytes(content)

    def ask() -> None:
        weights = load_weights(folder / "weights.yaml")
        weights.save(folder / "again.yaml")
        assert load_weights(folder / "again.yaml") == weights
        weights.check_architecture("resnet18")

    answer(WeightsError, ask)


@fuzz(150)
@given(content=texts("image,x0,y0,x1,y1,label\na.png,0,0,5,6,1\nb.png,1,1,2.5,3,cat\n"))
def test_csv_files(folder: Path, content: bytes) -> None:
    (folder / "boxes.csv").write_bytes(content)
    load(CsvSpec(kind="csv", root=folder / "boxes.csv", labels=folder / "names.txt"))


@fuzz(100)
@given(content=texts("ImageId,PredictionString\na,cat 1 1 5 6 dog 0 0 9 7\n"))
def test_imagenet_tables(folder: Path, content: bytes) -> None:
    table = folder / "LOC_val_solution.csv"
    table.write_bytes(content)
    load(ImagenetSpec(kind="imagenet", root=folder, labels=folder / "names.txt"))
    table.unlink()


@fuzz(150)
@given(content=texts(ANNOTATION), layout=st.sampled_from(["voc", "imagenet"]))
def test_xml_annotations(folder: Path, content: bytes, layout: str) -> None:
    names = folder / "names.txt"
    if layout == "voc":
        (folder / "Annotations/a.xml").write_bytes(content)
        load(VocSpec(kind="voc", root=folder, labels=names))
    else:
        (folder / "Annotations/CLS-LOC/val/a.xml").write_bytes(content)
        load(ImagenetSpec(kind="imagenet", root=folder, labels=names))


@fuzz(60)
@given(content=texts("a 1\nb -1\n"))
def test_splits(folder: Path, content: bytes) -> None:
    (folder / "ImageSets/Main/other.txt").write_bytes(content)
    load(VocSpec(kind="voc", root=folder, split="other"))


@fuzz(150)
@given(content=texts(COCO))
def test_coco_files(folder: Path, content: bytes) -> None:
    (folder / "annotations/instances_mangled.json").write_bytes(content)
    (folder / "mangled").mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        (folder / "mangled" / name).write_bytes((folder / name).read_bytes())
    load(CocoSpec(kind="coco", root=folder, split="mangled", labels=folder / "names.txt"))


@fuzz(60)
@given(content=texts(NAMES, "n01440764 tench, Tinca tinca\n"))
def test_files_of_class_names(folder: Path, content: bytes) -> None:
    (folder / "mangled.txt").write_bytes(content)
    load(CocoSpec(kind="coco", root=folder, labels=folder / "mangled.txt"))


def encoded(kind: str) -> bytes:
    content = io.BytesIO()
    Image.linear_gradient("L").resize((12, 9)).convert("RGB").save(content, format=kind)
    return content.getvalue()


@fuzz(200)
@given(content=st.sampled_from(sorted(FORMATS)).map(encoded).flatmap(damaged))
def test_images(folder: Path, content: bytes) -> None:
    (folder / "damaged").write_bytes(content)

    def ask() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what it mends
            assert read_image(folder / "damaged").mode == "RGB"

    answer(ImageError, ask)


@fuzz(100)
@given(content=texts(SAVED))
def test_saved_explanations(folder: Path, content: bytes) -> None:
    (folder / "saved.json").write_bytes(content)
    answer(ExplanationError, lambda: Explanation.load(folder / "saved.json"))
