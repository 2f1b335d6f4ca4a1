"""What is kept of an image."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.tuner.rewards.conftest import reading
from tuner.rewards.masks import box_mask, top_masks, top_masks_of


def test_a_box_is_scaled_to_the_networks_input() -> None:
    mask = box_mask(np.array([10.0, 0, 30, 20]), (40, 40), (4, 8))
    assert np.argwhere(mask).min(axis=0).tolist() == [0, 2]
    assert np.argwhere(mask).max(axis=0).tolist() == [1, 5]


@given(arrays(np.float64, (6, 9), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_every_map_keeps_the_same_area_and_more_of_it_where_more_is_kept(heat: np.ndarray) -> None:
    shares = (0.0, 0.2, 0.5, 1.0)
    masks = top_masks(heat, shares, (6, 9))
    assert [int(mask.sum()) for mask in masks] == [round(share * 54) for share in shares]
    for less, more in pairwise(masks):
        assert not (less & ~more).any()
    kept = masks[2]
    assert heat[kept].min() >= heat[~kept].max()


def test_cells_cover_the_pixels_below_them() -> None:
    (mask,) = top_masks(np.array([[1.0, 0.0], [0.0, 0.0]]), [0.25], (4, 6))
    assert np.argwhere(mask).tolist() == [[r, c] for r in (0, 1) for c in (0, 1, 2)]


def test_readings_of_one_map_share_its_masks() -> None:
    one = reading((0, 0, 1, 1))
    (first,), (second,) = top_masks_of([one, one], [0.5], (8, 8))
    assert first is second
