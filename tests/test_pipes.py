"""A pipe, a device, a socket or a folder where a file is expected is refused in one line, and nothing waits for it."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torch import nn

from experiments.cache import Cache
from experiments.errors import ExperimentError
from experiments.fixations import read_boxes
from experiments.trust.study import FILE, load_study
from storage.engine import Database
from storage.errors import StorageError
from tracer import Explanation, Model, graph_cache, load_model, load_weights
from tracer.errors import TracerError
from tracer.images import read_image
from tuner.datasets import load_dataset
from tuner.errors import TunerError
from tuner.spec.job import JobSpec, load_job

PATIENCE = 60.0
"""Seconds before a test counts as one that hangs: it waits for a pipe that nobody writes to."""

Read = Callable[[Path], Any]


def dataset(**said: Any) -> None:
    spec = JobSpec.model_validate({"name": "a", "architecture": "resnet18", "dataset": said}).dataset
    load_dataset(spec)


def in_folder(path: Path, name: str) -> Path:
    """The folder of a file that is moved to a place in it."""
    target = path.parent / "root" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    return path.parent / "root"


def with_image(root: Path, name: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (10, 8)).save(root / name)
    return root


def image_of_csv(path: Path) -> None:
    table = path.with_name("boxes.csv")
    table.write_text(f"image,x0,y0,x1,y1\n{path.name},0,0,5,5\n")
    dataset(kind="csv", root=str(table))


def labels(path: Path) -> None:
    with_image(path.parent, "a.png")
    table = path.with_name("boxes.csv")
    table.write_text("image,x0,y0,x1,y1,label\na.png,0,0,5,5,cat\n")
    dataset(kind="csv", root=str(table), labels=str(path))


def yolo(path: Path) -> None:
    dataset(kind="yolo", root=str(with_image(in_folder(path, "labels/val/a.txt"), "images/val/a.png")), split="val")


def voc(path: Path) -> None:
    root = with_image(in_folder(path, "Annotations/a.xml"), "JPEGImages/a.jpg")
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/val.txt").write_text("a\n")
    dataset(kind="voc", root=str(root))


def safetensors(path: Path) -> None:
    Model.of(nn.Linear(1, 1)).with_checkpoint(path.rename(path.with_suffix(".safetensors")))


OPEN_IMAGES = "validation-annotations-bbox.csv"

READERS: dict[str, Read] = {
    "image": read_image,
    "checkpoint": lambda path: Model.of(nn.Linear(1, 1)).with_checkpoint(path),
    "safetensors": lambda path: Model.of(nn.Linear(1, 1)).with_checkpoint(
        path.rename(path.with_suffix(".safetensors"))
    ),
    "weight file": load_weights,
    "saved explanation": Explanation.load,
    "network's code": lambda path: load_model(f"{path.rename(path.with_suffix('.py'))}:make"),
    "job file": load_job,
    "CSV": lambda path: dataset(kind="csv", root=str(path)),
    "image of a data set": image_of_csv,
    "labels": labels,
    "COCO": lambda path: dataset(kind="coco", root=str(in_folder(path, "annotations/instances_val2017.json"))),
    "YOLO": yolo,
    "VOC": voc,
    "ImageNet": lambda path: dataset(kind="imagenet", root=str(in_folder(path, "LOC_val_solution.csv"))),
    "Open Images": lambda path: dataset(
        kind="open_images", root=str(in_folder(path, "validation-annotations-bbox.csv"))
    ),
    "imagefolder": lambda path: dataset(kind="imagefolder", root=str(in_folder(path, "metadata.jsonl"))),
    "Parquet": lambda path: dataset(kind="parquet", root=str(path)),
    "database": lambda path: Database.open(f"sqlite:///{path}"),
    "published boxes": read_boxes,
    "cache of records": Cache,
    "study": lambda path: load_study(in_folder(path, FILE)),
}


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


MADE: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": socket_at,
    "folder": Path.mkdir,
}


class HangError(Exception):
    """It waits, or reads without an end."""


@pytest.fixture
def bounded() -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise HangError(f"more than {PATIENCE:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounded: None, kind: str, made: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
    MADE[made](Path("there"))
    with pytest.raises((TracerError, TunerError, StorageError, ExperimentError)) as refused:
        READERS[kind](tmp_path / "there")
    assert "\n" not in str(refused.value)


def test_a_graph_that_was_kept_is_no_pipe(tmp_path: Path, bounded: None) -> None:
    os.mkfifo(tmp_path / "graph.json")
    assert graph_cache.read(tmp_path / "graph.json") is None
