"""The test and the intervals against what is computed by hand."""

from itertools import product

import numpy as np
import pytest

from experiments.trust import inference
from experiments.trust.inference import holm, interval, rater_means, resampled, sign_flip


def test_the_sign_flip_test_tries_every_pattern() -> None:
    means = np.array([0.4, 0.1, -0.2, 0.5, 0.3])
    slow = [
        abs(sum(s * m for s, m in zip(signs, means, strict=True))) >= 1.1 - 1e-9 for signs in product((1, -1), repeat=5)
    ]
    assert sign_flip(means, np.random.default_rng(0)) == pytest.approx(np.mean(slow))
    assert sign_flip(np.ones(6), np.random.default_rng(0)) == 2 / 64
    assert sign_flip(np.zeros(6), np.random.default_rng(0)) == 1


def test_drawn_patterns_come_near_all_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    means = np.random.default_rng(1).normal(0.3, 1, 12)
    exact = sign_flip(means, np.random.default_rng(0))
    monkeypatch.setattr(inference, "EXACT", 0)
    assert sign_flip(means, np.random.default_rng(0)) == pytest.approx(exact, abs=0.01)


def test_holm_raises_as_in_his_paper() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])
    assert holm(np.empty(0)).size == 0


def test_means_leave_out_what_was_not_answered() -> None:
    cells = np.array([[1, np.nan, 0], [np.nan] * 3, [1, 1, 1]])
    assert rater_means(cells) == pytest.approx([0.5, np.nan, 1], nan_ok=True)


def test_the_bootstrap_draws_raters_and_images() -> None:
    random = np.random.default_rng(0)
    raters, images = random.normal(0, 1, (30, 1)), random.normal(0, 2, (1, 20))
    cells = raters + images
    spread = resampled(cells, np.random.default_rng(0)).std()
    assert spread == pytest.approx(np.sqrt(raters.var() / 30 + images.var() / 20), rel=0.1)
    low, high = interval(resampled(cells, np.random.default_rng(0)))
    assert low < cells.mean() < high


def test_one_rater_with_gaps_can_be_resampled() -> None:
    samples = resampled(np.array([[1.0, np.nan, 0.0]]), np.random.default_rng(0))
    assert np.isfinite(samples).mean() > 0.9
    assert interval(samples) == (0, 1)
