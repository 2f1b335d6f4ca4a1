"""A policy played on outcomes that are known already."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.policies.bandit import Bandit
from tuner.policies.base import Policy
from tuner.policies.verdict import Verdict, verdict


@dataclass(frozen=True)
class Replay:
    """What a policy did.

    Args:
        arms: The arm of each pull, int64 of shape (pulls,); its n-th pull used the n-th image.
        rewards: What each pull returned, bool of shape (pulls,).
        pulls: Pulls per arm, int64 of shape (K,).
        successes: Pulls with reward 1 per arm, int64 of shape (K,).
        survivors: The arms that a race did not drop, ascending; every arm under other policies.
        verdict: What may be concluded.
    """

    arms: NDArray[np.int64]
    rewards: NDArray[np.bool_]
    pulls: NDArray[np.int64]
    successes: NDArray[np.int64]
    survivors: NDArray[np.int64]
    verdict: Verdict


def replay(
    policy: Policy,
    outcomes: NDArray[np.bool_],
    budget: int,
    seed: Sequence[int],
    preference: Sequence[int] | None = None,
) -> Replay:
    """Play a policy on a full table, exactly as a job with that table's scores would.

    Args:
        policy: Chooses the arms.
        outcomes: Whether each arm succeeds on each image, 0/1 or bool of shape (images, K), in the images' order.
        budget: Pulls at most.
        seed: As :class:`~tuner.policies.bandit.Bandit` takes it.
        preference: The arms, those that win ties first.

    Raises:
        ValueError: If the budget does not reach every arm.
    """
    images, arms = outcomes.shape
    bandit = Bandit(policy, arms, images, budget, seed, preference)
    rewards: list[list[bool]] = outcomes.astype(np.bool_).T.tolist()
    taken = [iter(row) for row in rewards]
    chosen: list[int] = []
    returned: list[bool] = []
    while not bandit.done:
        arm = bandit.choose()
        reward = next(taken[arm])
        bandit.record(arm, success=reward)
        chosen.append(arm)
        returned.append(reward)
    return Replay(
        np.array(chosen, dtype=np.int64),
        np.array(returned, dtype=np.bool_),
        bandit.pulls,
        bandit.successes,
        np.flatnonzero(bandit.alive),
        verdict(bandit),
    )
