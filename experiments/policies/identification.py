"""How soon the best arm of a pool is known: the race beside three other ways, and how often it loses the best.

Elimination works on whole tables here, all images of a run at once; a test holds it to the code that plays a job.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from experiments.policies.arms import outcomes
from tuner.policies.duels import Boundary
from tuner.policies.kl_ucb import kl_upper

Table = NDArray[np.bool_]


@dataclass(frozen=True)
class Finish:
    """How one way ended on one table.

    Args:
        traces: Scores of (arm, image) that it asked for.
        left: The arms it did not rule out, ascending. Where there are several, each of them saw every image.
    """

    traces: int
    left: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """A way over many runs.

    Args:
        method: Its name.
        traces: Mean traces a run.
        share: Of the full table's traces.
        decided: Share of runs that ended with one arm: the last one left, or the best on the whole pool.
        lost: Share of runs that ruled out the arm whose probability of success is highest.
        lost_in_pool: Share of runs that ruled out the arm with the most successes on the pool.
    """

    method: str
    traces: float
    share: float
    decided: float
    lost: float
    lost_in_pool: float


def race(table: Table, delta: float) -> Finish:
    """The race (DESIGN section 4): duels on the images where just one of two arms succeeds."""
    images, arms = table.shape
    wins = np.cumsum(table[:, :, None] & ~table[:, None, :], axis=0, dtype=np.int32)
    boundary = Boundary((arms - 1) / delta)
    needed = np.array([boundary(losses) for losses in range(images + 1)])
    return _eliminate(wins >= needed[wins.transpose(0, 2, 1)])


def successive_elimination(table: Table, delta: float) -> Finish:
    """Successive elimination (Even-Dar, Mannor and Mansour 2006, Algorithm 3), bounds by Hoeffding for each arm alone.

    After n images an arm is dropped when its mean lies 2·√(ln(4·K·n²/δ) / (2·n)) below the best.
    """
    images, arms = table.shape
    n = np.arange(1, images + 1)
    means = np.cumsum(table, axis=0) / n[:, None]
    width = np.sqrt(np.log(4 * arms * n**2 / delta) / (2 * n))
    return _eliminate(means[:, :, None] - means[:, None, :] > 2 * width[:, None, None])


def _eliminate(beats: NDArray[np.bool_]) -> Finish:
    """Drop arms image by image, until one is left or no image is.

    Args:
        beats: Whether, after each image, the second arm is beaten by the first, shape (images, K, K).
    """
    images, arms = beats.shape[:2]
    alive = np.ones(arms, dtype=bool)
    traces = 0
    start = 0
    while start < images and alive.sum() > 1:
        losing: NDArray[np.bool_] = np.any(beats[start:] & alive[:, None] & alive, axis=1)
        hits: NDArray[np.bool_] = np.any(losing, axis=1)
        n = int(hits.argmax()) if hits.any() else images - start - 1
        traces += (n + 1) * int(alive.sum())
        alive &= ~losing[n]
        start += n + 1
    return Finish(traces, tuple(np.flatnonzero(alive).tolist()))


def uniform(table: Table, delta: float) -> Finish:  # noqa: ARG001 - exact, so it needs no delta
    """The full table: every arm on every image, so the best of the pool is known."""
    return Finish(table.size, tuple(range(table.shape[1])))


def kl_lucb(table: Table, delta: float) -> Finish:
    """KL-LUCB (Kaufmann and Kalyanakrishnan 2013), m = 1 and ε = 0: the leader and its closest challenger each round.

    The exploration rate is ln(405.5·K·t^1.1 / δ), their Theorem 2. On a finite pool an arm that saw every image is
    known exactly.
    """
    images, arms = table.shape
    rows: list[list[bool]] = table.T.tolist()
    pulls, successes = [1] * arms, [int(row[0]) for row in rows]
    t = 1
    while True:
        rate = log(405.5 * arms * t**1.1 / delta)
        upper, lower = [0.0] * arms, [0.0] * arms
        for arm in range(arms):
            mean, n = successes[arm] / pulls[arm], pulls[arm]
            known = n == images
            upper[arm] = mean if known else kl_upper(mean, rate / n)
            lower[arm] = mean if known else 1 - kl_upper(1 - mean, rate / n)
        leader = max(range(arms), key=lambda arm: (successes[arm] / pulls[arm], -pulls[arm]))
        challenger = max((arm for arm in range(arms) if arm != leader), key=upper.__getitem__)
        if lower[leader] > upper[challenger]:
            return Finish(sum(pulls), (leader,))
        open_ = [arm for arm in (leader, challenger) if pulls[arm] < images]
        if not open_:
            return Finish(sum(pulls), tuple(arm for arm in range(arms) if upper[arm] >= lower[leader]))
        for arm in open_:
            successes[arm] += rows[arm][pulls[arm]]
            pulls[arm] += 1
        t += 1


METHODS: dict[str, Callable[[Table, float], Finish]] = {
    "race": race,
    "uniform": uniform,
    "successive elimination": successive_elimination,
    "KL-LUCB": kl_lucb,
}


def summarise(
    method: str, means: Sequence[float], correlation: float, images: int, delta: float, runs: int, seed: int
) -> Summary:
    """A way over seeded runs; the same seed draws the same tables for every way.

    Args:
        method: A key of :data:`METHODS`.
        means: Of the arms, shape (K,).
        correlation: Between arms, as :func:`~experiments.policies.arms.outcomes` takes it.
        images: Size of the pool.
        delta: Allowed probability of losing the best arm.
        runs: Pools drawn.
        seed: Root of their randomness.
    """
    best = int(np.argmax(means))
    traces, decided, lost, lost_in_pool = 0, 0, 0, 0
    for run in range(runs):
        table = outcomes(means, correlation, images, np.random.default_rng([seed, run]))
        finish = METHODS[method](table, delta)
        totals = table.sum(axis=0)
        left = totals[list(finish.left)]
        traces += finish.traces
        decided += int((left == left.max()).sum()) == 1
        lost += best not in finish.left
        lost_in_pool += int(totals.argmax()) not in finish.left
    return Summary(
        method, traces / runs, traces / runs / (images * len(means)), decided / runs, lost / runs, lost_in_pool / runs
    )
