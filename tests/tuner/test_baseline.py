import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.baseline import make_baseline, success_counts
from tuner.spec.reward import IouReward


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.data())
def test_successes_are_counted_over_every_number_of_usable_images(ious: list[float], data: st.DataObject) -> None:
    left_out = data.draw(st.sets(st.integers(0, len(ious) - 1)))
    baseline = make_baseline(np.array(ious), IouReward())
    usable = [iou >= 0.5 for position, iou in enumerate(ious) if position not in left_out]
    counts = success_counts(baseline, len(ious), left_out)
    assert counts is not None
    assert counts.tolist() == [sum(usable[:n]) for n in range(len(usable) + 1)]
    assert baseline["mean"] == pytest.approx(np.mean([iou >= 0.5 for iou in ious]))


def test_a_job_that_stored_no_successes_has_no_baseline_by_arm() -> None:
    assert success_counts({"mean": 0.45, "mean_iou": 0.41}, 10, ()) is None
