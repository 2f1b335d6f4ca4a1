"""What is left of a class's probability when parts of an image are hidden."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from experiments.confidence import Confidence
from experiments.methods import Subject
from experiments.occlusion import FILLS, area_under, curve, grow_box, keep_box, keep_highest
from experiments.records import Found
from tuner.datasets import ImageList


def test_box_of_the_image_keeps_its_part_of_the_input() -> None:
    kept = keep_box(np.array([10.0, 0, 30, 20]), (40, 40), (4, 8))
    assert kept.sum() == 2 * 4
    assert bool(kept[0:2, 2:6].all())
    assert keep_box(np.zeros(4), (40, 40), (4, 8)).sum() == 0


@pytest.mark.parametrize("box", [(10, 10, 20, 20), (0, 0, 90, 10), (70, 50, 100, 60), (0, 0, 100, 60), (0, 0, 0, 0)])
@pytest.mark.parametrize("area", [0.25, 0.5, 0.75, 1.0])
def test_grown_box_holds_the_area_inside_the_image(box: tuple[int, ...], area: float) -> None:
    x0, y0, x1, y1 = grow_box(np.array(box, dtype=np.float64), area, (100, 60))
    assert (x1 - x0) * (y1 - y0) == pytest.approx(area * 6000)
    assert 0 <= x0 < x1 <= 100 + 1e-9
    assert 0 <= y0 < y1 <= 60 + 1e-9


def test_grown_box_stays_about_its_middle_where_there_is_room() -> None:
    assert grow_box(np.array([40.0, 40, 60, 60]), 0.25, (100, 100)).tolist() == [25, 25, 75, 75]


def test_highest_pixels_hold_the_area_whatever_ties_there_are() -> None:
    heat = np.array([[0.0, 1, 1], [1, 1, 0]])
    assert keep_highest(heat, 0.5).tolist() == [[False, True, True], [True, False, False]]


def test_fills_are_what_they_say(subject: Subject) -> None:
    inputs = torch.rand(3, 32, 32)
    assert float(FILLS["mean"](inputs, subject).abs().max()) == 0
    assert float(FILLS["black"](inputs, subject).abs().max()) == 0  # this network's mean is black
    blurred = FILLS["blurred"](inputs, subject)
    assert float(blurred.std()) < 0.3 * float(inputs.std())
    assert float(blurred.mean()) == pytest.approx(float(inputs.mean()), abs=0.02)


def test_curve_changes_the_highest_pixels_first(subject: Subject) -> None:
    image, heat = torch.zeros(3, 32, 32), np.zeros((32, 32))
    image[:, :8], heat[:8] = 1, 1  # evidence for class 0 is what is bright
    found = curve(subject, image, torch.zeros_like(image), heat, 64, 0)
    assert len(found) == 17
    assert np.all(np.diff(found[:5]) < 0)
    assert np.allclose(found[4:], found[-1])
    with torch.no_grad():
        wanted = subject.model.scores(image[None]).softmax(1)[0, 0]
    assert found[0] == pytest.approx(float(wanted))


def test_area_under_is_the_trapezoid_rule() -> None:
    assert area_under(np.array([0.0, 1.0])) == 0.5
    assert area_under(np.array([1.0, 1.0, 0.0])) == 0.75


def test_keeping_the_evidence_loses_nothing(gather: Callable[..., Found], bright_images: ImageList) -> None:
    experiment = Confidence()
    result = experiment.result(gather(experiment, "grad-cam,random", bright_images.images), 0)
    hidden, curves = result.tables
    rows = {(row["method"], row["region"], row["hidden"]): row for row in hidden.rows}
    assert len(rows) == 2 * 7 * 3
    own = rows["grad-cam", "map > 0.2", "mean"]
    assert own["average_drop"] < 2  # black is the mean colour here, so only blurred edges change
    assert 10 < own["kept"] < 40
    assert rows["random", "highest 25%", "mean"]["average_drop"] > 5
    assert rows["grad-cam", "highest 25%", "mean"]["kept"] == rows["random", "highest 25%", "mean"]["kept"] == 25
    first, second = curves.rows
    assert first["insertion"] > second["insertion"]
    assert first["deletion"] < second["deletion"]
    assert second["insertion_difference"] == pytest.approx(second["insertion"] - first["insertion"])
    assert result.verdict.startswith("grad-cam finds the pixels that make the network sure soonest")
    assert result.pictures[0].png.startswith(b"\x89PNG")


def test_curves_can_be_left_out(gather: Callable[..., Found], bright_images: ImageList) -> None:
    experiment = Confidence(curves=False)
    result = experiment.result(gather(experiment, "tracer", bright_images.images[:1]), 0)
    assert {row["region"] for row in result.tables[0].rows} > {"points", "box of 50%"}
    assert (len(result.tables), result.pictures) == (1, ())
