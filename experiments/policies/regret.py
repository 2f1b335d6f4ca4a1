"""Cumulative regret of the policies, played by the very code that plays a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from tuner.policies import make_policy, replay

Means = NDArray[np.float64]


@dataclass(frozen=True)
class Regret:
    """Pseudo-regret of a policy over independent runs: the gap to the best mean, summed over the pulls.

    Args:
        policy: Its kind.
        mean: Over the runs.
        error: Standard error of that mean.
        best: Share of the pulls that went to the best arm.
    """

    policy: str
    mean: float
    error: float
    best: float


def regret(kind: str, means: Sequence[float], horizon: int, runs: int, seed: int) -> Regret:
    """The regret of a policy on independent Bernoulli arms.

    Args:
        kind: A key of ``tuner.policies.POLICIES``.
        means: Of the arms, shape (K,).
        horizon: T, pulls a run.
        runs: Independent runs.
        seed: Of the rewards and of the policy's own draws; the same seed draws the same rewards for every policy.
    """
    truth = np.array(means)
    regrets, best = np.empty(runs), np.empty(runs)
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        played = replay(make_policy(kind), rng.random((horizon, len(truth))) < truth, horizon, (seed, run))
        regrets[run] = (truth.max() - truth) @ played.pulls
        best[run] = played.pulls[truth.argmax()] / horizon
    error = regrets.std(ddof=1) / np.sqrt(runs) if runs > 1 else np.nan
    return Regret(kind, float(regrets.mean()), float(error), float(best.mean()))


def lai_robbins(means: Sequence[float]) -> float:
    """The constant C of Lai and Robbins (1985): no consistent policy's regret grows slower than C·ln T.

    C is the sum over the suboptimal arms of gap / kl(mean, best mean); all means in (0, 1).
    """
    best = max(means)
    return sum((best - mean) / _kl(mean, best) for mean in means if mean < best)


def _kl(p: float, q: float) -> float:
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
