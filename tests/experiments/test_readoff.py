"""Read-offs are those of the tracer's own maps, each of them at its place."""

import numpy as np
import pytest

from experiments.readoff import CUTS, SPREADS, boxes, peaks
from tracer.maps import blur, patch_boxes

SIZE = (500, 375)


def test_every_spread_and_cut_stands_at_its_place() -> None:
    heat = np.random.default_rng(0).random((112, 96)).astype(np.float32)
    found = boxes(heat, SPREADS, CUTS, SIZE)
    assert found.shape == (len(SPREADS), len(CUTS), 4)
    for spread, row in zip(SPREADS, found, strict=True):
        blurred = blur(heat.astype(float), spread, (28, 24), SIZE)
        for cut, box in zip(CUTS, row, strict=True):
            assert box.tolist() == patch_boxes(blurred, [cut], SIZE)[0].tolist()


def test_order_of_the_cuts_is_kept() -> None:
    heat = np.random.default_rng(1).random((32, 32)).astype(np.float32)
    found = boxes(heat, [4.0], CUTS, SIZE)[0]
    assert boxes(heat, [4.0], CUTS[::-1], SIZE)[0].tolist() == found[::-1].tolist()


def test_a_map_of_zeros_has_no_box() -> None:
    assert not boxes(np.zeros((16, 16)), SPREADS, CUTS, SIZE).any()


def test_a_larger_mass_has_no_smaller_patch() -> None:
    heat = np.random.default_rng(2).random((64, 64))
    masses = [f"mass {share}" for share in (0.4, 0.5, 0.6, 0.8)]
    found = boxes(heat, [24.0], masses, SIZE)[0]
    areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    assert (np.diff(areas) >= 0).all()


def test_the_peak_is_the_middle_of_the_highest_pixel() -> None:
    heat = np.zeros((8, 4))
    heat[2, 3] = 1
    assert peaks(heat, [0.0, 4.0], (40, 80)) == pytest.approx(np.array([[35.0, 25.0]] * 2))
