"""What may be concluded of answers by some raters on some images."""

import numpy as np
from numpy.typing import NDArray

from tuner.paired import RESAMPLES

EXACT = 16
"""Raters up to whom the sign-flip test tries every pattern of signs; beyond, it draws some."""

PATTERNS = 100_000
"""How many it draws."""

_TOGETHER = 500
"""Samples drawn at a time, so that they fit in memory."""

Cells = NDArray[np.float64]
"""A value of each rater (row) on each image (column); NaN where there is none."""


def rater_means(cells: Cells) -> NDArray[np.float64]:
    """Each rater's mean over images; NaN for one who judged none."""
    return _weighted(cells, np.ones((1, cells.shape[1]))).ravel()


def resampled(cells: Cells, random: np.random.Generator) -> NDArray[np.float64]:
    """Bootstrap means of raters' means, both raters and images drawn with replacement (Owen 2007).

    Drawing both asks how the figure would come out with other people *and* other images. It errs on the wide side.

    Args:
        cells: At least one rater and one image with a value.
        random: Draws the samples.

    Returns:
        Means of :data:`tuner.paired.RESAMPLES` samples; NaN for a sample without any value.
    """
    raters, images = cells.shape
    found = []
    for _ in range(RESAMPLES // _TOGETHER):
        drawn = random.multinomial(images, np.full(images, 1 / images), _TOGETHER).astype(np.float64)
        means = _weighted(cells, drawn)
        weights = random.multinomial(raters, np.full(raters, 1 / raters), _TOGETHER) * np.isfinite(means)
        total = weights.sum(1)
        sums = (weights * np.nan_to_num(means)).sum(1)
        found.append(np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0))
    return np.concatenate(found)


def interval(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The 95% percentile interval of bootstrap samples."""
    low, high = np.nanquantile(samples, [0.025, 0.975])
    return float(low), float(high)


def sign_flip(means: NDArray[np.float64], random: np.random.Generator) -> float:
    """How probable so large a mean is where every rater is as likely to lean one way as the other (two-sided).

    Raters with no preference could as well have leaned the other way, each by himself: so the signs of their means
    are turned in every way, and the share of ways is counted whose mean is at least as far from 0 as the one found.

    Args:
        means: Each rater's mean, at least one.
        random: Draws signs where raters are more than :data:`EXACT`.
    """
    count = len(means)
    if count <= EXACT:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
        return float(np.mean(np.abs(signs @ means) >= abs(means.sum()) - 1e-9))
    found = 1
    for _ in range(PATTERNS // _TOGETHER):
        signs = 1 - 2 * random.integers(2, size=(_TOGETHER, count))
        found += int((np.abs(signs @ means) >= abs(means.sum()) - 1e-9).sum())
    return found / (PATTERNS + 1)


def holm(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of several tests, raised so that one false alarm among all is no likelier than 5% (Holm 1979)."""
    order = np.argsort(probabilities)
    raised = np.maximum.accumulate(probabilities[order] * np.arange(len(order), 0, -1)).clip(max=1)
    adjusted = np.empty_like(raised)
    adjusted[order] = raised
    return adjusted


def _weighted(cells: Cells, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each rater's mean over images (samples, raters), images weighted by each row of ``weights``."""
    known = np.isfinite(cells)
    total = weights @ known.T
    sums = weights @ np.nan_to_num(cells).T
    means = np.full(total.shape, np.nan)
    np.divide(sums, total, out=means, where=total > 0)
    return means
