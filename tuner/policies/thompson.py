"""Thompson sampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from tuner.policies.base import IndexPolicy


@dataclass(frozen=True, kw_only=True)
class Thompson(IndexPolicy):
    """Thompson sampling for Bernoulli rewards (Thompson 1933; Kaufmann, Korda and Munos 2012), uniform prior.

    The index is one draw from the arm's posterior, Beta(1 + successes, 1 + failures).
    """

    draws: ClassVar[bool] = True

    def indices(self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: Generator) -> list[float]:  # noqa: ARG002 - does not depend on t
        """A draw from the posterior of each arm's mean."""
        beta = rng.beta  # one call an arm: numpy checks arrays at greater cost than it draws
        return [beta(s + 1.0, n - s + 1.0) for s, n in zip(rewards, pulls, strict=True)]
