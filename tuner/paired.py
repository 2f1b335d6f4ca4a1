"""95% intervals of the mean difference between two ways of boxing the same images."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

RESAMPLES = 10_000
"""Samples of a bootstrap."""

TOGETHER = 100
"""Samples that are drawn at once, which is far faster than one by one and takes little memory."""


def bootstrap_interval(gains: NDArray[np.float64], random: np.random.Generator) -> tuple[float, float]:
    """The percentile bootstrap over images (Efron 1979).

    Args:
        gains: How much better the one did than the other on each image, shape (images,).
        random: Draws the samples.
    """
    samples = (random.integers(len(gains), size=(TOGETHER, len(gains))) for _ in range(RESAMPLES // TOGETHER))
    means = np.concatenate([gains[sample].mean(axis=1) for sample in samples])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def exact_interval(gains: NDArray[np.float64]) -> tuple[float, float]:
    """The exact interval of the difference between two shares of hits.

    Of n images, m are hit by just one of the two. Given m, how many of them the one hits is binomial with an
    unknown p, and the difference is m·(2p − 1)/n: Clopper & Pearson's interval of p, scaled, as in McNemar's exact
    test. The interval takes m as given.

    Args:
        gains: 1 for an image that only the one hits, −1 for one that only the other hits, else 0; shape (images,).
    """
    won, lost = int((gains > 0).sum()), int((gains < 0).sum())
    if not won + lost:
        return 0.0, 0.0
    share = binomtest(won, won + lost).proportion_ci(0.95, method="exact")
    low, high = ((won + lost) * (2 * float(end) - 1) / len(gains) for end in (share.low, share.high))
    return low, high
