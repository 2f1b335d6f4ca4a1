"""Records: made once, kept a batch at a time, made again when anything that decides them changes."""

import logging
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from experiments.cache import Cache, default_path
from experiments.errors import CacheError, MethodError, SettingError
from experiments.keys import Keys
from experiments.methods import Method, Subject, Variants, find_method
from experiments.records import BATCH, Found, collect
from experiments.sampling import Sample, draw
from tests.experiments.conftest import Brightness
from tests.experiments.conftest import draw as drawn
from tracer import Alpha, Model, Preprocessing, TraceConfig, Weights
from tuner.datasets import ImageList, LabelledImage


@dataclass
class Sums:
    """Records the sum of each map, and counts the batches it was asked for."""

    factor: float = 1.0
    die_at: int | None = None
    batches: list[tuple[str, int]] = field(default_factory=list)

    name: ClassVar = "sums"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        return {"factor": self.factor}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> torch.Tensor:
        return torch.stack([subject.model.preprocess(image.open()) for image in images])

    def record(self, scene: torch.Tensor, method: Method, attribute: Variants) -> list[dict]:
        self.batches.append((method.name, len(scene)))
        if len(self.batches) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        (maps,) = attribute(scene, torch.zeros(len(scene), dtype=torch.int64)).values()
        return [{"sum": self.factor * float(found.sum()), "name": method.name} for found in maps]


def bright_subject() -> Subject:
    plain = Preprocessing(32, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Subject(Model("brightness", Brightness().eval(), plain), TraceConfig(), Alpha())


def pictures(count: int) -> list[LabelledImage]:
    places = [(n, n, n + 20, n + 20) for n in range(count)]
    boxes = [np.array([place], dtype=np.float64) for place in places]
    return [LabelledImage(f"{n}", 0, boxes[n], 64, 64, partial(drawn, places[n], 64), str(n % 7)) for n in range(count)]


METHODS = [find_method("centre-prior"), find_method("random")]


def unpinned(images: list[LabelledImage]) -> Sample:
    return Sample.of([replace(image, pixels_sha256=None) for image in images])


def run(experiment: Sums, count: int, path: Path, **options: object) -> Found:
    with closing(Cache(path)) as cache:
        return collect(experiment, METHODS, unpinned(pictures(count)), bright_subject(), cache=cache, **options)  # type: ignore[arg-type]


def test_what_was_recorded_is_not_recorded_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "records.sqlite"
    first, again, more = Sums(), Sums(), Sums()
    found = run(first, 6, path)
    assert first.batches == [("centre-prior", 4), ("random", 4), ("centre-prior", 2), ("random", 2)]
    assert [record["sum"] for record in run(again, 6, path).records["random"]] == [
        record["sum"] for record in found.records["random"]
    ]
    assert again.batches == []
    run(more, 7, path)
    assert more.batches == [("centre-prior", 1), ("random", 1)]


def test_other_settings_of_the_experiment_are_other_records(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    one, two = (run(Sums(factor), 2, path).values("random", "sum") for factor in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one)


def test_killed_run_loses_one_batch_at_most(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    process = multiprocessing.get_context("fork").Process(target=run, args=(Sums(die_at=6), 3 * BATCH, path))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = Sums()
    found = run(left, 3 * BATCH, path)
    assert left.batches == [("centre-prior", BATCH), ("random", BATCH)]
    assert len(found.records["random"]) == 3 * BATCH


def test_several_processes_come_to_the_same(tmp_path: Path) -> None:
    alone = run(Sums(), 6, tmp_path / "one.sqlite")
    together = run(Sums(), 6, tmp_path / "two.sqlite", jobs=2, make_subject=bright_subject)
    for method in alone.records:
        assert alone.values(method, "sum").tolist() == together.values(method, "sum").tolist()


def weighted_subject() -> Subject:
    """A network whose parameters differ each time that it is made."""
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    return Subject(Model("weighted", network, Preprocessing(32, 32)), TraceConfig(), Alpha())


def test_other_parameters_in_another_process_are_refused_and_nothing_of_them_is_kept(tmp_path: Path) -> None:
    with closing(Cache(tmp_path / "records.sqlite")) as cache:
        sample, subject = unpinned(pictures(6)), weighted_subject()
        with pytest.raises(SettingError, match="weighted comes with other parameters in each process: let its factory"):
            collect(Sums(), METHODS, sample, subject, cache=cache, jobs=2, make_subject=weighted_subject)
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM record").fetchone() == (0,)


def test_progress_is_told_of_every_batch(tmp_path: Path) -> None:
    told: list[object] = []

    def progress(done, total):  # type: ignore[no-untyped-def]
        told.append(total)
        for count in done:
            told.append(count)
            yield count

    run(Sums(), 6, tmp_path / "records.sqlite", progress=progress)
    assert told == [6, 4, 2]


def test_method_that_cannot_explain_the_network_is_left_out_with_a_line(
    gather: Callable[..., Found], bright_images: ImageList, caplog: pytest.LogCaptureFixture
) -> None:
    found = gather(Sums(), "cam,random", bright_images.images)
    assert list(found.records) == ["random"]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["cam is left out"]
    assert caplog.records[0].levelno == logging.WARNING


def test_whatever_a_library_raises_leaves_the_other_methods_alone(
    subject: Subject, cache: Cache, bright_images: ImageList, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Method("broken", "none", f"{__name__}:broken", pixelwise=False)
    found = collect(Sums(), [broken, METHODS[0]], Sample.of(bright_images.images), subject, cache=cache)
    assert list(found.records) == ["centre-prior"]
    assert caplog.messages == ["broken is left out: KeyError: 'no such layer'"]


def broken(subject: Subject) -> None:
    raise KeyError("no such layer")


def test_methods_of_which_none_can_explain_the_network_are_refused(
    gather: Callable[..., Found], bright_images: ImageList
) -> None:
    with pytest.raises(MethodError, match="none of the methods"):
        gather(Sums(), "cam", bright_images.images)


def test_key_changes_with_everything_that_decides_a_record(subject: Subject, bright_images: ImageList) -> None:
    image, method = bright_images[0], METHODS[0]
    other = bright_subject()
    with torch.no_grad():
        other.model.module.bright.bias.add_(1)
    keys = {
        Keys("a", {}, subject).of(method, image),
        Keys("b", {}, subject).of(method, image),
        Keys("a", {"x": 1}, subject).of(method, image),
        Keys("a", {}, other).of(method, image),
        Keys("a", {}, subject).of(METHODS[1], image),
        Keys("a", {}, subject).of(method, bright_images[1]),
        Keys("a", {}, subject).of(method, replace(image, pixels_sha256="0")),
        Keys("a", {}, subject).of(method, replace(image, boxes=image.boxes + 1)),
    }
    assert len(keys) == 8


def test_tracers_settings_decide_the_tracers_records_alone(subject: Subject, bright_images: ImageList) -> None:
    weights = Weights("brightness", Alpha(pre=0), tracer=TraceConfig(spread=4))
    asked = [subject, replace(subject, config=TraceConfig(spread=4)), replace(subject, alpha=weights)]
    traced, other = (
        [Keys("a", {}, one).of(find_method(name), bright_images[0]) for one in asked] for name in ("tracer", "saliency")
    )
    assert (len(set(traced)), len(set(other))) == (3, 1)


def test_file_that_is_no_cache_is_one_line_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("no database, but long enough to be taken for one: " * 100)
    with pytest.raises(CacheError, match=r"other\.txt: cannot be used .*delete it, or name another \(--cache\)"):
        Cache(path)


def test_damaged_record_is_told(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with closing(Cache(path)) as cache:
        cache.add({"a": {"x": 1.0}})
        with sqlite3.connect(path) as database:
            database.execute("UPDATE record SET content = x'00'")
        database.close()
        with pytest.raises(CacheError, match="cannot be used"):
            cache.find(["a"])


def test_default_cache_lies_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRACER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "bandit-tracer" / "experiments.sqlite"


def test_draws_hold_each_image_once_and_go_on_with_the_next_seed(bright_images: ImageList) -> None:
    sample = draw(bright_images, 2, seed=3, repeat=4)
    ids = [[sample.images[place].id for place in places] for places in sample.draws]
    assert ids[1] == [image.id for image in draw(bright_images, 2, seed=4).images]
    assert all(len(each) == 2 for each in ids)
    assert len({image.id for image in sample.images}) == len(sample.images) == 3
    assert all(image.pixels_sha256 for image in sample.images)
    assert [image.id for image in draw(bright_images, 2, seed=3, without={"box-4"}).images].count("box-4") == 0
