"""UCB1."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log, sqrt

from numpy.random import Generator

from tuner.policies.base import IndexPolicy


@dataclass(frozen=True, kw_only=True)
class UCB1(IndexPolicy):
    """UCB1 (Auer, Cesa-Bianchi and Fischer 2002, Figure 1): mean + √(c·ln t / n).

    Args:
        exploration: c, dimensionless; 2 in the paper.

    Raises:
        ValueError: If ``exploration`` is negative or not finite.
    """

    exploration: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isfinite(self.exploration) and self.exploration >= 0):
            raise ValueError(f"exploration {self.exploration} must be a finite number >= 0")

    def indices(self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: Generator) -> list[float]:  # noqa: ARG002 - takes no randomness
        """Each mean plus the width of its upper confidence bound."""
        bonus = self.exploration * log(t)
        return [s / n + sqrt(bonus / n) for s, n in zip(rewards, pulls, strict=True)]
