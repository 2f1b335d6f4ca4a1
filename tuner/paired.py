"""95% intervals of the mean difference between two ways of boxing the same images."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

RESAMPLES = 10_000
"""Samples of a bootstrap."""
_TOGETHER = 500
"""Samples drawn at a time: many calls are slow, and all at once would fill the memory."""


def bootstrap_interval(gains: NDArray[np.float64], random: np.random.Generator) -> tuple[float, float]:
    """The percentile bootstrap over images (Efron 1979).

    Args:
        gains: How much better the one did than the other on each image, shape (images,).
        random: Draws the samples.
    """
    drawn = (random.integers(len(gains), size=(_TOGETHER, len(gains))) for _ in range(RESAMPLES // _TOGETHER))
    low, high = np.quantile([gains[samples].mean(1) for samples in drawn], [0.025, 0.975])
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
    least = betaincinv(won, lost + 1, 0.025) if won else 0.0
    most = betaincinv(won + 1, lost, 0.975) if lost else 1.0
    low, high = ((won + lost) * (2 * float(end) - 1) / len(gains) for end in (least, most))
    return low, high


def images_needed(images: int, difference: float, low: float, high: float) -> int | None:
    """About how many images would show a difference that is open, if it stayed as large; ``None`` where it is not open.

    The half of the interval that reaches to 0 and beyond shrinks with the square root of the number of images.

    Args:
        images: How many there were.
        difference: The mean difference on them.
        low: Lower end of its interval.
        high: Upper end.
    """
    if not difference or not low <= 0 <= high:
        return None
    reach = difference - low if difference > 0 else high - difference
    return round(round(images * (reach / abs(difference)) ** 2), -1)
