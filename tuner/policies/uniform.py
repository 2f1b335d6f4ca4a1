"""Every arm on every image."""

from dataclasses import dataclass
from typing import ClassVar

from numpy.random import Generator

from tuner.policies.base import Counts, Policy


@dataclass(frozen=True, kw_only=True)
class Uniform(Policy):
    """Pulls the arm with the fewest pulls: image by image, every arm in turn (the full table)."""

    in_step: ClassVar[bool] = True

    def choose(self, counts: Counts, rng: Generator) -> int:
        """The open arm with the fewest pulls, those in flight included; ties by preference."""
        return self.plan(counts, rng)[0]

    def plan(self, counts: Counts, rng: Generator) -> list[int]:  # noqa: ARG002 - takes no randomness
        """The rest of the round: the open arms with the fewest pulls, those in flight included, by preference."""
        arms = [arm for arm in counts.preference if not counts.closed[arm]]
        if not arms:
            raise ValueError("every arm is closed: there is nothing left to pull")
        pulls = [counts.pulls[arm] + counts.pending[arm] for arm in arms]
        fewest = min(pulls)
        return [arm for arm, n in zip(arms, pulls, strict=True) if n == fewest]
