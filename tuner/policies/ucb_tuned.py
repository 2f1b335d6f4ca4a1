"""UCB-tuned."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

from numpy.random import Generator

from tuner.policies.base import IndexPolicy


@dataclass(frozen=True, kw_only=True)
class UCBTuned(IndexPolicy):
    """UCB-tuned (Auer et al. 2002, Section 4): mean + √(ln t / n · min(1/4, V)), V = mean·(1 − mean) + √(2·ln t / n).

    The variance of a 0/1 reward is mean·(1 − mean), so no sum of squares is needed.
    """

    def indices(self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: Generator) -> list[float]:  # noqa: ARG002 - takes no randomness
        """Each mean plus a width that shrinks with the arm's variance."""
        log_t = log(t)
        rates = [(s / n, log_t / n) for s, n in zip(rewards, pulls, strict=True)]
        return [mean + sqrt(rate * min(0.25, mean * (1.0 - mean) + sqrt(2.0 * rate))) for mean, rate in rates]
