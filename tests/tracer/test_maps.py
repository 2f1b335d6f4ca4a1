"""Blurred maps and the boxes cut from them against plain definitions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tracer.config import Cut, TraceConfig, parse_cut
from tracer.maps import blur, patch_boxes
from tracer.reading import Trace, read_boxes

FRACTIONS = st.floats(0.001, 0.999)
CUTS = st.lists(FRACTIONS | FRACTIONS.map("mass {}".format), min_size=1, max_size=12)


def interpolated(shares: np.ndarray, row: float, column: float) -> float:
    """The value at a place in cells of the map, linear between the cells' centres, constant beyond the outermost."""
    total = 0.0
    for (r, c), share in np.ndenumerate(shares):
        near = [min(max(at, 0.5), extent - 0.5) for at, extent in zip((row, column), shares.shape, strict=True)]
        total += share * max(0, 1 - abs(near[0] - r - 0.5)) * max(0, 1 - abs(near[1] - c - 0.5))
    return total


def blurred(shares: np.ndarray, spread: float, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The definition: interpolated on a grid that is no coarser than map and result, then a sum over its places."""
    fine = tuple(max(extent, cells) for extent, cells in zip(shape, shares.shape, strict=True))
    deviation = spread / 256 * size[1]
    found = np.zeros(shape)
    for y, x in np.ndindex(*fine):
        value = interpolated(shares, (y + 0.5) / fine[0] * shares.shape[0], (x + 0.5) / fine[1] * shares.shape[1])
        for r, c in np.ndindex(*shape):
            down = ((r + 0.5) / shape[0] - (y + 0.5) / fine[0]) * size[1]
            right = ((c + 0.5) / shape[1] - (x + 0.5) / fine[1]) * size[0]
            found[r, c] += value * np.exp(-(down**2 + right**2) / (2 * deviation**2))
    return found / found.max() if found.any() else found


@settings(max_examples=30)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(20, 400), st.integers(20, 400)),
    st.floats(10, 80),
    st.integers(0, 2**32 - 1),
)
def test_blur_is_the_double_sum_of_its_definition(
    cells: tuple[int, int], shape: tuple[int, int], size: tuple[int, int], spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.random(cells) * rng.integers(0, 2, cells)
    np.testing.assert_allclose(
        blur(shares, spread, shape, size), blurred(shares, spread, shape, size), rtol=1e-9, atol=1e-12
    )


def test_blur_agrees_with_a_zero_padded_gaussian_filter() -> None:
    shares = np.zeros((224, 224))
    shares[[0, 3, 100], [0, 200, 100]] = 1, 1, 2
    filtered = ndimage.gaussian_filter(shares, 20 * 224 / 256, mode="constant", truncate=8)
    np.testing.assert_allclose(blur(shares, 20, (224, 224), (224, 224)), filtered / filtered.max(), atol=1e-9)


def test_no_blur_leaves_a_map_as_it_is_and_averages_a_finer_one() -> None:
    shares = np.random.default_rng(0).random((6, 8))
    np.testing.assert_allclose(blur(shares, 0, (6, 8), (80, 60)), shares / shares.max())
    halved = shares.reshape(3, 2, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(blur(shares, 0, (3, 4), (80, 60)), halved / halved.max())


def test_blur_of_nothing_is_nothing() -> None:
    heat = blur(np.zeros((5, 6)), 20, (7, 8), (40, 30))
    assert heat.shape == (7, 8)
    assert not heat.any()


def labelled(heat: np.ndarray, cut: Cut, size: tuple[int, int]) -> list[float]:
    """The box by labelling the patches above one cut."""
    fraction, mass = parse_cut(cut)
    order = np.argsort(-heat.reshape(-1), kind="stable")
    above = np.zeros(heat.size, dtype=bool)
    if heat.max() <= 0:
        return [0.0] * 4
    if mass:
        held = np.cumsum(heat.reshape(-1)[order])
        above[order[: int((held < fraction * held[-1]).sum()) + 1]] = True
    else:
        above = heat.reshape(-1) > fraction * heat.max()
    patches, _ = ndimage.label(above.reshape(heat.shape), np.ones((3, 3)))
    largest = np.bincount(patches.ravel())[1:].argmax()
    rows, columns = ndimage.find_objects(patches)[largest]
    scale = size[0] / heat.shape[1], size[1] / heat.shape[0]
    return [columns.start * scale[0], rows.start * scale[1], columns.stop * scale[0], rows.stop * scale[1]]


@st.composite
def heats(draw: st.DrawFn) -> np.ndarray:
    """Maps of few levels, so that ties abound, or of many."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.integers(0, 4))
    return rng.integers(0, levels + 1, shape).astype(float) if levels < 4 else rng.random(shape)


@settings(max_examples=300)  # the kernel is compiled at the first call
@given(heats(), CUTS)
def test_patches_of_many_cuts_are_those_of_a_labelling_cut_by_cut(heat: np.ndarray, cuts: list[Cut]) -> None:
    size = (heat.shape[1] * 10, heat.shape[0] * 20)
    np.testing.assert_allclose(patch_boxes(heat, cuts, size), [labelled(heat, cut, size) for cut in cuts])


def test_largest_patch_is_joined_at_corners() -> None:
    heat = np.zeros((20, 20))
    heat[2:4, 2:4] = heat[4:6, 4:6] = 0.9  # two squares that touch at a corner: eight cells
    heat[10:12, 10:13] = 1.0  # six cells, though higher
    assert patch_boxes(heat, [0.3], (40, 20)).tolist() == [[4.0, 2.0, 12.0, 6.0]]


def test_a_share_of_the_maximum_is_a_strict_threshold() -> None:
    heat = np.full((4, 4), 0.5)
    heat[1, 2] = 1.0
    assert patch_boxes(heat, [0.5, 0.49], (4, 4)).tolist() == [[2.0, 1.0, 3.0, 2.0], [0.0, 0.0, 4.0, 4.0]]


def test_a_mass_takes_the_fewest_of_the_highest_cells_that_hold_it() -> None:
    heat = np.array([[4.0, 3.0, 2.0, 1.0]])
    boxes = patch_boxes(heat, ["mass 0.4", "mass 0.41", "mass 0.7", "mass 0.71"], (40, 10))
    assert boxes[:, 2].tolist() == [10.0, 20.0, 20.0, 30.0]


def test_a_map_of_nothing_has_an_empty_box_and_one_cell_is_the_whole_image() -> None:
    assert patch_boxes(np.zeros((3, 3)), [0.5, "mass 0.5"], (9, 9)).tolist() == [[0.0] * 4] * 2
    assert patch_boxes(np.ones((1, 1)), [0.5, "mass 0.5"], (9, 7)).tolist() == [[0.0, 0.0, 9.0, 7.0]] * 2


def trace() -> Trace:
    """A map of shares on a grid of 14 x 14, read of a network that takes 56 x 56 pixels."""
    points = np.array([[3, 3], [3, 4], [4, 4], [10, 10]])
    return Trace(points, np.array([0.3, 0.3, 0.3, 0.1]), (14, 14), 0, 1.0, "layer3", (56, 56))


def test_boxes_of_many_settings_are_those_of_each_alone() -> None:
    configs = [
        TraceConfig(box=box, spread=spread, cut=cut)
        for box in ("points", "patch")
        for spread in (0, 8.0, 30)
        for cut in (0.2, 0.6, "mass 0.5")
    ]
    one = trace()
    together = read_boxes([one] * len(configs), configs, (300, 200))
    alone = [read_boxes([one], [config], (300, 200))[0] for config in configs]
    assert np.array_equal(together, alone)


def test_a_higher_cut_draws_a_smaller_box() -> None:
    configs = [TraceConfig(box="patch", spread=20, cut=cut) for cut in (0.9, 0.5, 0.1)]
    boxes = read_boxes([trace()] * 3, configs, (300, 200))
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert all(small < large for small, large in pairwise(areas))


def test_saliency_has_a_cell_for_each_pixel_of_the_input_or_for_several() -> None:
    assert trace().saliency(20, (300, 200)).shape == (56, 56)
    assert trace().saliency(20, (300, 200), 4).shape == (14, 14)
    assert trace().saliency(20, (300, 200)).max() == pytest.approx(1)


def test_map_holds_the_share_of_every_cell() -> None:
    cells = trace().map
    assert cells.shape == (14, 14)
    assert cells.sum() == pytest.approx(1)
    assert cells[10, 10] == 0.1
