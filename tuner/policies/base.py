"""What a policy sees, and the one place where it chooses.

Names follow the literature: an *arm* is pulled, a pull returns a *reward* of 0 or 1 (a *success*), a *policy* says
which arm comes next. Policies are pure functions of the counts, in plain Python: with a dozen arms that is several
times faster than numpy, and one decision has to cost less than 20 microseconds.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from operator import gt
from typing import ClassVar, NamedTuple, Self

from numpy.random import Generator


class Counts(NamedTuple):
    """What is known about the K arms of a bandit when the next pull is chosen.

    A bandit, whose counts are sound by construction, makes one for each pull; all others use :meth:`of`, which checks.

    Args:
        pulls: Answered pulls per arm, shape (K,).
        successes: Pulls with reward 1 per arm, shape (K,).
        pending: Pulls in flight per arm, shape (K,).
        closed: Whether an arm may not be pulled (again), shape (K,): it has no image left, or the race dropped it.
        preference: The arms by rank, shape (K,): the nearest to the base first. Ties go to the lowest rank.
    """

    pulls: tuple[int, ...]
    successes: tuple[int, ...]
    pending: tuple[int, ...]
    closed: tuple[bool, ...]
    preference: tuple[int, ...]

    @classmethod
    def of(
        cls,
        pulls: Sequence[int],
        successes: Sequence[int],
        *,
        pending: Sequence[int] | None = None,
        closed: Sequence[bool] | None = None,
        preference: Sequence[int] | None = None,
    ) -> Self:
        """Counts from any sequences or arrays; without the optional ones nothing is pending, closed or preferred.

        Raises:
            ValueError: If the shapes differ, a count is impossible or ``preference`` is not a permutation of the arms.
        """
        arms = len(pulls)
        counts = cls(
            pulls=tuple(int(n) for n in pulls),
            successes=tuple(int(n) for n in successes),
            pending=tuple(int(n) for n in pending) if pending is not None else (0,) * arms,
            closed=tuple(bool(c) for c in closed) if closed is not None else (False,) * arms,
            preference=tuple(int(arm) for arm in preference) if preference is not None else tuple(range(arms)),
        )
        if not arms or {len(field) for field in counts} != {arms}:
            raise ValueError(f"counts of {arms} arms: every sequence needs one entry an arm, and at least one arm")
        if min(counts.successes) < 0 or min(counts.pending) < 0 or any(map(gt, counts.successes, counts.pulls)):
            raise ValueError(
                f"impossible counts: {counts.successes} successes of {counts.pulls} pulls, {counts.pending} pending"
            )
        if sorted(counts.preference) != list(range(arms)):
            raise ValueError(f"preference {counts.preference} is not a permutation of the {arms} arms")
        return counts

    @property
    def t(self) -> int:
        """Pulls so far of all arms, those in flight included."""
        return sum(self.pulls) + sum(self.pending)


class Batches(NamedTuple):
    """Arms that are tried ``size`` at a time, each on ``images`` images."""

    size: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Policy(ABC):
    """Says which arm is pulled next; a pure function of its arguments.

    Args:
        delta: Probability with which the verdict may be wrong, in (0, 0.5].
        epsilon: Arms whose means differ by no more than this count as equally good, in [0, 1).

    Raises:
        ValueError: If a parameter is out of its range.
    """

    draws: ClassVar[bool] = False
    """Whether it chooses at random; a policy that does not is given any generator."""
    drops: ClassVar[bool] = False
    """Whether arms that are beaten are pulled no more, so that the bandit ends when one is left."""

    in_step: ClassVar[bool] = False
    """Whether every open arm is pulled on an image before any is on the next."""

    delta: float = 0.05
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.delta <= 0.5:
            raise ValueError(f"delta {self.delta} must lie in (0, 0.5]")
        if not 0 <= self.epsilon < 1:
            raise ValueError(f"epsilon {self.epsilon} must lie in [0, 1)")

    @abstractmethod
    def choose(self, counts: Counts, rng: Generator) -> int:
        """The arm to pull.

        Args:
            counts: What is known now.
            rng: Randomness of this one pull, for the policies that use any.

        Raises:
            ValueError: If every arm is closed.
        """

    def plan(self, counts: Counts, rng: Generator) -> Sequence[int]:
        """The next arms to pull, in order, at least one; more where no reward can change what follows.

        An arm that is closed meanwhile is left out. So a policy that goes round the arms is asked once a round.
        """
        return (self.choose(counts, rng),)

    def batches(self) -> Batches | None:
        """How many arms are tried at a time, and on how many images; ``None`` where all are open at once."""
        return None

    def least_budget(self, arms: int, images: int) -> int:  # noqa: ARG002 (an arm needs one image)
        """Pulls without which it cannot play: one an arm."""
        return arms


class IndexPolicy(Policy):
    """A policy that pulls the arm with the highest index: a subclass says what the index is."""

    @abstractmethod
    def indices(self, rewards: Sequence[float], pulls: Sequence[int], t: int, rng: Generator) -> Sequence[float]:
        """The index of each open arm, in the order of ``pulls``; an arm that cannot lead may have any lower value.

        Args:
            rewards: Sum of the rewards of each open arm, in [0, its pulls].
            pulls: Pulls of each open arm, at least 1.
            t: Pulls of all arms, the closed ones too.
            rng: Randomness of this pull.
        """

    def choose(self, counts: Counts, rng: Generator) -> int:
        """The open arm with the highest index, an arm without any pull before all others; ties by preference.

        A pull in flight counts as a pull whose reward is its arm's mean so far (1/2 where none is answered): it makes
        the arm less uncertain, not better or worse.
        """
        answered, successes, pending, closed, arms = counts
        if any(closed):
            arms = tuple(arm for arm in arms if not closed[arm])
            if not arms:
                raise ValueError("every arm is closed: there is nothing left to pull")
        pulls = [answered[arm] for arm in arms]
        rewards: list[float] = [successes[arm] for arm in arms]
        if any(pending):
            means = [s / n if n else 0.5 for s, n in zip(rewards, pulls, strict=True)]
            pulls = [n + pending[arm] for arm, n in zip(arms, pulls, strict=True)]
            rewards = [mean * n for mean, n in zip(means, pulls, strict=True)]
        if 0 in pulls:
            return arms[pulls.index(0)]
        indices = self.indices(rewards, pulls, counts.t, rng)
        return arms[indices.index(max(indices))]
