"""UCB-tuned."""

from dataclasses import dataclass
from math import log, sqrt

from numpy.random import Generator

from tuner.policies.base import IndexPolicy


@dataclass(frozen=True, kw_only=True)
class UCBTuned(IndexPolicy):
    """UCB-tuned (Auer et al. 2002, Section 4): mean + √(ln t / n · min(1/4, V)), V = mean·(1 − mean) + √(2·ln t / n).

    The variance of a 0/1 reward is mean·(1 − mean), so no sum of squares is needed.
    """

    def index(self, mean: float, pulls: int, t: int, rng: Generator) -> float:  # noqa: ARG002 - takes no randomness
        """The mean plus a width that shrinks with the arm's variance."""
        rate = log(t) / pulls
        return mean + sqrt(rate * min(0.25, mean * (1.0 - mean) + sqrt(2.0 * rate)))
