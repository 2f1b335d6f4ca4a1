"""KL-UCB."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, log, sqrt

from numpy.random import Generator

from tuner.policies.base import IndexPolicy

ROUNDING = 1e-9
"""More than what rounding, and an index solved for to 1e-9, may add to a divergence."""


@dataclass(frozen=True, kw_only=True)
class KLUCB(IndexPolicy):
    """KL-UCB (Garivier and Cappé 2011) for Bernoulli rewards: the largest q with n·kl(mean, q) ≤ ln t.

    This is their Equation (4) with c = 0, which they recommend in practice.
    """

    def indices(self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: Generator) -> list[float]:  # noqa: ARG002 - takes no randomness
        """The upper ends of the Kullback-Leibler confidence regions; the mean of an arm that cannot lead.

        Arms are visited by Pinsker's bound on their index, the highest first, until no other can reach the highest
        index found. Before an index is solved for, n·kl(mean, q) is held against ln t with q that highest index.
        """
        half_log_t = log(t) / 2.0
        means = [s / n for s, n in zip(rewards, pulls, strict=True)]
        bounds = [mean + sqrt(half_log_t / n) for mean, n in zip(means, pulls, strict=True)]
        indices = means.copy()
        highest, log_highest, log_rest = 0.0, 0.0, 0.0
        for arm in sorted(range(len(bounds)), key=bounds.__getitem__, reverse=True):
            if bounds[arm] < highest:
                break
            mean, divergence = means[arm], 2.0 * half_log_t / pulls[arm]
            kl = _negentropy(mean) - mean * log_highest - (1.0 - mean) * log_rest if mean < highest else 0.0
            if kl < divergence + ROUNDING:
                indices[arm] = index = kl_upper(mean, divergence)
                if index > highest:
                    highest, log_highest, log_rest = index, log(index), log(1.0 - index) if index < 1.0 else -inf
        return indices


def kl_upper(mean: float, divergence: float) -> float:
    """The largest q in [mean, 1] with kl(mean, q) ≤ divergence, for Bernoulli distributions; within 1e-9.

    Newton's method on the convex function kl(mean, ·), from above: two upper bounds of the root, one by Pinsker's
    inequality, one that drops −mean·ln q ≥ 0, give the start, so that every step stays above the root. The error after
    a step is about the square of the step over the distance to the nearer of the mean and 1.
    """
    if mean >= 1.0:
        return 1.0
    miss = 1.0 - mean
    target = _negentropy(mean) - divergence
    q = mean + sqrt(divergence / 2.0)
    if q > 0.9:
        q = min(q, 1.0 - exp(target / miss))
    while q > mean:
        rest = 1.0 - q
        step = (target - mean * log(q) - miss * log(rest)) * q * rest / (q - mean)
        q -= step
        if step < 1e-5 * min(rest, q - mean):
            return q
    return mean


@lru_cache(4096)
def _negentropy(mean: float) -> float:
    """Σ p·ln p of a Bernoulli distribution."""
    return sum(p * log(p) for p in (1.0 - mean, mean) if p > 0.0)
