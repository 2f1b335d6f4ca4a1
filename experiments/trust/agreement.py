"""Krippendorff's α: how far raters agree beyond chance (Krippendorff 2004, Content Analysis, chapter 11)."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval", "ratio"]
"""What values mean: names, ranks, distances, or distances from a true zero."""

Values = NDArray[np.float64]


def alpha(ratings: Values, level: Level) -> float:
    """1 − observed over expected disagreement: 1 where all agree, 0 where they agree as by chance.

    A unit that fewer than two raters judged has no pair and does not count.

    Args:
        ratings: A row a rater, a column a unit; NaN where a rater gave none.
        level: What the values mean.

    Returns:
        α, at most 1; NaN where no unit has two ratings, or all ratings are the same.
    """
    ratings = ratings[:, np.isfinite(ratings).sum(0) > 1]
    values = np.unique(ratings[np.isfinite(ratings)])
    if len(values) < 2:
        return math.nan
    counts = (ratings[:, :, None] == values).sum(0).astype(np.float64)
    raters = counts.sum(1, keepdims=True)
    coincidences = (counts / (raters - 1)).T @ counts - np.diag((counts / (raters - 1)).sum(0))
    marginals = coincidences.sum(1)
    distances = _DISTANCES[level](values, marginals)
    expected = (np.outer(marginals, marginals) * distances).sum() / (marginals.sum() - 1)
    return float(1 - (coincidences * distances).sum() / expected)


def _nominal(values: Values, _: Values) -> Values:
    return np.not_equal.outer(values, values).astype(np.float64)


def _ordinal(_: Values, marginals: Values) -> Values:
    """(ratings from the one value to the other, of the two themselves only half)²."""
    ranks = np.cumsum(marginals) - marginals / 2
    return np.square(ranks[:, None] - ranks)


def _interval(values: Values, _: Values) -> Values:
    return np.square(values[:, None] - values)


def _ratio(values: Values, _: Values) -> Values:
    total = values[:, None] + values
    return np.square(np.divide(values[:, None] - values, total, out=np.zeros_like(total), where=total != 0))


_DISTANCES: dict[Level, Callable[[Values, Values], Values]] = {
    "nominal": _nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}
"""Squared distances of every two values; given the values and how often each was paired."""
