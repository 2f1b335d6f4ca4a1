"""What may be concluded from the pulls so far, whatever policy chose them."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tuner.policies.base import Policy
from tuner.policies.duels import Duels, excess
from tuner.policies.intervals import interval

Outcome = Literal["decided", "epsilon", "exhausted", "tied"]


@dataclass(frozen=True)
class Verdict:
    """How a bandit stands.

    Args:
        outcome: ``decided``: one arm may be best. ``epsilon``: several may, and none of them is better than the winner
            by more than epsilon (with epsilon 0: all are known and equal). ``exhausted``: several may, and this is all
            that the pulls say. ``tied``: all arms are equal by construction, and none was pulled.
        winner: The arm to use.
        may_be_best: The arms that may be best on the pool, in ascending order; the winner among them.
        confidence: Probability, over the order of the images, with which these statements hold at every moment; 1
            where every arm saw every image. It is that of arms which were fixed before the order was drawn: the arms of
            a job's second round were not (``docs/policies.md``, "Rounds").
    """

    outcome: Outcome
    winner: int
    may_be_best: tuple[int, ...]
    confidence: float


class Pulled(Protocol):
    """What a verdict reads of a bandit (:class:`tuner.policies.Bandit`)."""

    policy: Policy
    images: int
    budget: int
    preference: tuple[int, ...]
    duels: Duels

    @property
    def arms(self) -> int:
        """How many arms there are."""
        ...

    @property
    def usable_pulls(self) -> NDArray[np.int64]:
        """Pulls of each arm on images that were not left out."""
        ...

    @property
    def usable_successes(self) -> NDArray[np.int64]:
        """Successes among them."""
        ...


def verdict(bandit: Pulled) -> Verdict:
    """The verdict on a bandit now; the outcome is the one it would end with.

    Arms that are beaten (:class:`tuner.policies.duels.Duels`) are out, and so are arms that saw every image and had
    fewer successes than another that did. The winner has the highest lower end of its interval: its mean, where all
    images were seen; ties by preference.
    """
    everyone = tuple(range(bandit.arms))
    if bandit.budget == 0:
        return Verdict("tied", bandit.preference[0], everyone, 1.0)
    pulls, successes = bandit.usable_pulls.tolist(), bandit.usable_successes.tolist()
    known = [n >= bandit.images for n in pulls]
    candidates = everyone if all(known) else tuple(arm for arm in everyone if not bandit.duels.beaten[arm]) or everyone
    most = max((successes[arm] for arm in candidates if known[arm]), default=0)
    candidates = tuple(arm for arm in candidates if not known[arm] or successes[arm] == most)

    delta, epsilon = bandit.policy.delta, bandit.policy.epsilon
    images = max(bandit.images, 1)
    among = set(candidates)
    ranked = [arm for arm in bandit.preference if arm in among]
    winner = max(ranked, key=lambda arm: interval(successes[arm], pulls[arm], images=images).low)
    others = [arm for arm in candidates if arm != winner]
    if not others:
        outcome: Outcome = "decided"
    elif all(known[arm] for arm in candidates) or (
        epsilon and all(excess(bandit.duels, arm, winner, images, delta / 2) <= epsilon for arm in others)
    ):
        outcome = "epsilon"
    else:
        outcome = "exhausted"
    return Verdict(outcome, winner, candidates, 1.0 if all(known) else 1.0 - delta)
