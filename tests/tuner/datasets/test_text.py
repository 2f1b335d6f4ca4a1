"""Files of a data set are read to their end, which they have."""

import os
from pathlib import Path

import pytest

from tuner.datasets import text
from tuner.datasets.classes import Classes
from tuner.datasets.load import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import CocoSpec, CsvSpec


def test_a_device_that_never_ends_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"/dev/zero: cannot be read \(not a regular file\)"):
        Classes(Path("/dev/zero"))


def test_a_cell_may_hold_a_line_break(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('image,x\n"a\nb.png",1\nc\u2028d,2\n', newline="")
    assert [row for _, row in text.read_rows(path)] == [["image", "x"], ["a\nb.png", "1"], ["c\u2028d", "2"]]


@pytest.mark.parametrize("spec", [CsvSpec, CocoSpec])
def test_a_pipe_that_nobody_writes_to_is_refused(tmp_path: Path, spec: type[CsvSpec | CocoSpec]) -> None:
    place = tmp_path / ("annotations/instances_val2017.json" if spec is CocoSpec else "boxes.csv")
    place.parent.mkdir(exist_ok=True)
    os.mkfifo(place)
    kind, root = ("coco", tmp_path) if spec is CocoSpec else ("csv", place)
    with pytest.raises(DatasetError, match="not a regular file"):
        load_dataset(spec.model_validate({"kind": kind, "root": root}))


def test_a_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "names.txt"
    path.write_text("cat\ndog\n")
    monkeypatch.setattr(text, "MAX_BYTES", 8)
    assert text.read_lines(path) == ["cat", "dog"]
    monkeypatch.setattr(text, "MAX_BYTES", 7)
    with pytest.raises(DatasetError, match=r"names\.txt: longer than 7 bytes; take a part of it"):
        text.read_lines(path)
