"""Every read-off at once against one labelling a read-off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from experiments.readoff import CUTS, SPREADS, Cut, blur, boxes, peaks
from tracer import maps


def slow_box(heat: np.ndarray, cut: Cut, size: tuple[int, int]) -> np.ndarray:
    """One labelling of one map at one cut."""
    if cut.of == "maximum":
        mask = heat > np.float32(cut.share * heat.max())
    else:
        values = np.sort(heat, axis=None)[::-1]
        held = np.cumsum(values, dtype=np.float64)
        mask = heat >= next((v for v, h in zip(values, held, strict=True) if h >= cut.share * held[-1] > 0), np.inf)
    patches, _ = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(patches.ravel())[1:]
    if not len(areas):
        return np.zeros(4)
    rows, columns = ndimage.find_objects(patches)[areas.argmax()]
    x, y = size[0] / heat.shape[1], size[1] / heat.shape[0]
    return np.array([columns.start * x, rows.start * y, columns.stop * x, rows.stop * y])


@settings(deadline=None, max_examples=100)  # the first call compiles
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    levels=st.integers(1, 6),
    filled=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_all_boxes_are_those_of_one_labelling_each(
    shape: tuple[int, int], levels: int, filled: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)  # few levels: many ties between values and between areas of patches
    heat = (rng.integers(1, levels + 1, shape) * (rng.random(shape) < filled)).astype(np.float32)
    size = (30, 20)
    found = boxes(heat, SPREADS, CUTS, size)
    assert found.shape == (len(SPREADS), len(CUTS), 4)
    for blurred, row in zip(blur(heat, SPREADS, size), found, strict=True):
        for cut, box in zip(CUTS, row, strict=True):
            np.testing.assert_allclose(box, slow_box(blurred, cut, size), atol=1e-9)


def test_boxes_of_a_large_smooth_map_are_those_of_one_labelling_each() -> None:
    heat = np.random.default_rng(0).random((112, 96)).astype(np.float32)
    size = (500, 375)
    found = boxes(heat, (2.0, 8.0), CUTS, size)
    for blurred, row in zip(blur(heat, (2.0, 8.0), size), found, strict=True):
        for cut, box in zip(CUTS, row, strict=True):
            np.testing.assert_allclose(box, slow_box(blurred, cut, size))


def test_order_of_the_cuts_is_kept() -> None:
    heat = np.random.default_rng(1).random((9, 9)).astype(np.float32)
    backwards = boxes(heat, (0.0,), CUTS[::-1], (9, 9))
    np.testing.assert_array_equal(backwards[:, ::-1], boxes(heat, (0.0,), CUTS, (9, 9)))


def test_mass_is_held_by_the_fewest_highest_pixels() -> None:
    heat = np.array([[5, 3, 0, 1, 1]], dtype=np.float32)
    cuts = [Cut(share, "mass") for share in (0.4, 0.5, 0.6, 0.8)]
    np.testing.assert_array_equal(boxes(heat, (0.0,), cuts, (5, 1))[0, :, 2], [1, 1, 2, 2])


def test_blur_is_the_tracers() -> None:
    heat = np.zeros((32, 24), dtype=np.float32)
    heat[3, 20] = heat[30, 2] = 1
    (ours,) = blur(heat, (20.0,), (100, 150))
    theirs = maps.blur(heat.astype(np.float64), 20.0, (32, 24), (100, 150))
    np.testing.assert_allclose(ours / ours.max(), theirs, atol=1e-6)


def test_peak_is_the_middle_of_the_first_highest_pixel() -> None:
    heat = np.zeros((4, 8), dtype=np.float32)
    heat[1, 6] = heat[3, 0] = 1
    np.testing.assert_array_equal(peaks(heat, (0.0,), (80, 20)), [[65, 7.5]])


@pytest.mark.parametrize("cut", [Cut(0.2), Cut(0.2, "mass")], ids=str)
def test_map_of_zeros_has_an_empty_box(cut: Cut) -> None:
    assert not boxes(np.zeros((4, 4), dtype=np.float32), SPREADS, [cut], (8, 8)).any()


def test_cuts_are_named_as_in_a_job_file() -> None:
    assert [str(cut) for cut in (Cut(0.2), Cut(0.65, "mass"))] == ["0.2", "mass 0.65"]
