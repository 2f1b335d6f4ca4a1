"""KL-UCB."""

from dataclasses import dataclass
from math import exp, log, sqrt

from numpy.random import Generator

from tuner.policies.base import IndexPolicy


@dataclass(frozen=True, kw_only=True)
class KLUCB(IndexPolicy):
    """KL-UCB (Garivier and Cappé 2011) for Bernoulli rewards: the largest q with n·kl(mean, q) ≤ ln t.

    This is their Equation (4) with c = 0, which they recommend in practice.
    """

    def index(self, mean: float, pulls: int, t: int, rng: Generator) -> float:  # noqa: ARG002 - takes no randomness
        """The upper end of the Kullback-Leibler confidence region."""
        return kl_upper(mean, log(t) / pulls)


def kl_upper(mean: float, divergence: float) -> float:
    """The largest q in [mean, 1] with kl(mean, q) ≤ divergence, for Bernoulli distributions; within 1e-9.

    Newton's method on the convex function kl(mean, ·), from above: two upper bounds of the root, one by Pinsker's
    inequality, one that drops −mean·ln q ≥ 0, give the start, so that every step stays above the root. The error after
    a step is about the square of the step.
    """
    if mean >= 1.0:
        return 1.0
    miss = 1.0 - mean
    negentropy = miss * log(miss) + (mean * log(mean) if mean > 0.0 else 0.0)
    target = negentropy - divergence
    q = mean + sqrt(divergence / 2.0)
    if q > 0.9:
        q = min(q, 1.0 - exp(target / miss))
    while q > mean:
        rest = 1.0 - q
        step = (target - mean * log(q) - miss * log(rest)) * q * rest / (q - mean)
        q -= step
        if step < 1e-5 * rest:
            return q
    return mean
