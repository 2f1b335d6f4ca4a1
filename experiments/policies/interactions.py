"""Whether the weights interact: the best triple of the joint grid beside what tuning each weight alone leaves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.play.grid import Cell, Grid


@dataclass(frozen=True)
class Interactions:
    """What the joint grid holds that tuning each weight alone misses.

    Args:
        images: Images that every triple was scored on.
        separate: The triple that the best values of cur, suc and pre make, each tuned with the others at their base.
        separate_mean: Its mean reward.
        joint: The best triple of the grid.
        joint_mean: Its mean reward.
        difference: Of the means, joint minus separate: too high, as the best of many is picked on the same images.
        standard_error: Of that difference, of images paired.
        held_out: The difference where both are chosen on one half of the images and compared on the other, both ways.
        held_out_error: Its standard error, over the images.
        best_of: Triples that share the highest mean.
    """

    images: int
    separate: str
    separate_mean: float
    joint: str
    joint_mean: float
    difference: float
    standard_error: float
    held_out: float
    held_out_error: float
    best_of: int


def interactions(grid: Grid, outcomes: NDArray[np.bool_]) -> Interactions:
    """Compare the best triple with the best values of each weight alone; ties go to what is nearest the base.

    Args:
        grid: The triples; its base is what the other weights are held at.
        outcomes: Whether each triple succeeds on each image, bool of shape (images, triples), images in random order.
    """
    rewards = outcomes.astype(np.float64)
    images = len(rewards)
    means = rewards.mean(axis=0)
    apart, together = separate_arm(grid, means), joint_arm(grid, means)
    gains = rewards[:, together] - rewards[:, apart]

    held_out = np.empty(images)
    for half in (slice(None, images // 2), slice(images // 2, None)):
        seen = np.delete(rewards, half, axis=0).mean(axis=0)
        held_out[half] = rewards[half, joint_arm(grid, seen)] - rewards[half, separate_arm(grid, seen)]
    return Interactions(
        images,
        str(grid.triples[apart]),
        float(means[apart]),
        str(grid.triples[together]),
        float(means[together]),
        float(gains.mean()),
        float(gains.std(ddof=1) / np.sqrt(images)),
        float(held_out.mean()),
        float(held_out.std(ddof=1) / np.sqrt(images)),
        int(np.sum(means == means.max())),
    )


def joint_arm(grid: Grid, means: NDArray[np.float64]) -> int:
    """The triple with the highest mean, float64 of shape (triples,)."""
    return max(grid.preference, key=means.__getitem__)


def separate_arm(grid: Grid, means: NDArray[np.float64]) -> int:
    """The triple that the best values of each weight make, the others at their base; cur and pre are not both 0."""
    lines = [_line(grid, axis) for axis in range(3)]
    best = [max(line, key=lambda rank: means[line[rank]]) for line in lines]
    if (best[0], best[1], best[2]) not in grid.arms:
        axis = min((0, 2), key=lambda axis: means[lines[axis][best[axis]]])
        positive = {rank: arm for rank, arm in lines[axis].items() if grid.values[axis][rank] > 0}
        best[axis] = max(positive, key=lambda rank: means[positive[rank]])
    return grid.arms[best[0], best[1], best[2]]


def _line(grid: Grid, axis: int) -> dict[int, int]:
    """Arms by the rank of a weight's value, the other two weights at the base; the nearest to the base first."""
    base, values = grid.base, grid.values[axis]
    ranks = sorted(range(len(values)), key=lambda rank: (abs(values[rank] - values[base[axis]]), rank))
    cells: dict[int, Cell] = {}
    for rank in ranks:
        cell = [*base]
        cell[axis] = rank
        cells[rank] = (cell[0], cell[1], cell[2])
    return {rank: grid.arms[cell] for rank, cell in cells.items() if cell in grid.arms}
