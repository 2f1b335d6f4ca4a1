"""Thompson sampling."""

from dataclasses import dataclass

from numpy.random import Generator

from tuner.policies.base import IndexPolicy


@dataclass(frozen=True, kw_only=True)
class Thompson(IndexPolicy):
    """Thompson sampling for Bernoulli rewards (Thompson 1933; Kaufmann, Korda and Munos 2012), uniform prior.

    The index is one draw from the arm's posterior, Beta(1 + successes, 1 + failures).
    """

    def index(self, mean: float, pulls: int, t: int, rng: Generator) -> float:  # noqa: ARG002 - does not depend on t
        """A draw from the posterior of the arm's mean."""
        successes = mean * pulls
        return float(rng.beta(1.0 + successes, 1.0 + pulls - successes))
