"""Intervals for the mean of 0/1 rewards that hold however often one looks, and whenever one stops.

Pulls are chosen by the rewards themselves and tables are read while a job runs, so an interval for a number of pulls
that was fixed beforehand (Wilson, Clopper-Pearson) would promise too much here. These are confidence sequences: with
the stated probability they cover the mean after *every* number of pulls at once.
"""

from collections.abc import Callable
from math import floor, inf, lgamma, log
from typing import NamedTuple


class Interval(NamedTuple):
    """Ends of an interval in [0, 1]."""

    low: float
    high: float


def interval(successes: int, pulls: int, *, images: int | None = None, confidence: float = 0.95) -> Interval:
    """Where the mean of an arm lies.

    The values m are kept whose likelihood is not less than (1 − confidence) times the likelihood averaged over a
    uniform prior: the prior-posterior ratio is a martingale under the true m, and Ville's inequality does the rest
    (Robbins 1970; for finite pools Waudby-Smith and Ramdas 2020, Section 2).

    Args:
        successes: Pulls with reward 1.
        pulls: Pulls, each on an image of its own.
        images: Size of the pool, if the mean over just these images is meant: the interval closes to a point when all
            were seen. None for the mean over all images of the kind that were sampled.
        confidence: Probability of covering the mean after every number of pulls, in (0, 1).

    Returns:
        The ends; (0, 1) before the first pull.

    Raises:
        ValueError: If the counts are impossible or the confidence is not in (0, 1).
    """
    if not 0 <= successes <= pulls:
        raise ValueError(f"impossible counts: {successes} successes of {pulls} pulls")
    if images is not None and pulls > images:
        raise ValueError(f"{pulls} pulls on a pool of {images} images: each image is pulled once")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} must lie in (0, 1)")
    slack = -log(1 - confidence)
    if pulls == 0:
        return Interval(0.0, 1.0)
    if images is not None:
        return _finite(successes, pulls, images, slack)
    return _infinite(successes, pulls, slack)


def _infinite(successes: int, pulls: int, slack: float) -> Interval:
    """Means p with log B(s + 1, f + 1) − s·log p − f·log(1 − p) < slack; ends within 1e-9."""
    failures = pulls - successes
    least = lgamma(successes + 1) + lgamma(failures + 1) - lgamma(pulls + 2) - slack
    mean = successes / pulls

    def keeps(p: float) -> bool:
        likelihood = (successes * _log(p) if successes else 0.0) + (failures * _log(1 - p) if failures else 0.0)
        return likelihood > least

    low, high = mean, mean
    lowest, highest = 0.0, 1.0
    while low - lowest > 1e-9:
        middle = (low + lowest) / 2
        low, lowest = (middle, lowest) if keeps(middle) else (low, middle)
    while highest - high > 1e-9:
        middle = (high + highest) / 2
        high, highest = (middle, highest) if keeps(middle) else (high, middle)
    return Interval(lowest, highest)


def _finite(successes: int, pulls: int, images: int, slack: float) -> Interval:
    """Means m/N with log C(N + 1, n + 1) − log(N + 1) − log C(m, s) − log C(N − m, n − s) < slack, m whole."""
    failures = pulls - successes
    least = _log_choose(images + 1, pulls + 1) - log(images + 1) - slack

    def keeps(m: int) -> bool:
        return _log_choose(m, successes) + _log_choose(images - m, failures) > least

    mode = min(floor(successes * (images + 1) / pulls), images - failures)
    low = _last(keeps, mode, successes)
    high = _last(keeps, mode, images - failures)
    return Interval(low / images, high / images)


def _last(keeps: Callable[[int], bool], inside: int, end: int) -> int:
    """The whole number furthest from ``inside`` towards ``end`` that is kept; those kept are neighbours."""
    if keeps(end):
        return end
    while abs(end - inside) > 1:
        middle = (inside + end) // 2
        inside, end = (middle, end) if keeps(middle) else (inside, middle)
    return inside


def _log(p: float) -> float:
    return log(p) if p > 0 else -inf


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
