"""Whether settings interact: the best combination of a joint grid beside what tuning each setting alone leaves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.rows import describe
from tuner.spec.arms import distances
from tuner.spec.grid import Cell, Grid


@dataclass(frozen=True)
class Interactions:
    """What the joint grid holds that tuning each setting alone misses.

    Args:
        images: Images that every combination was scored on.
        separate: The combination of the best candidate of each setting, tuned with the others at their base.
        separate_mean: Its mean reward.
        joint: The best combination of the grid.
        joint_mean: Its mean reward.
        difference: Of the means, joint minus separate: too high, as the best of many is picked on the same images.
        standard_error: Of that difference, of images paired.
        held_out: The difference where both are chosen on one half of the images and compared on the other, both ways.
        held_out_error: Its standard error, over the images.
        best_of: Combinations that share the highest mean.
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
    """Compare the best combination with the best candidates of each setting alone; ties go to the nearest to the base.

    Args:
        grid: The combinations; its base is what the other settings are held at.
        outcomes: Whether each combination succeeds on each image, bool of shape (images, combinations), the
            images in random order.
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
        describe(grid.arms.candidates[apart]),
        float(means[apart]),
        describe(grid.arms.candidates[together]),
        float(means[together]),
        float(gains.mean()),
        float(gains.std(ddof=1) / np.sqrt(images)),
        float(held_out.mean()),
        float(held_out.std(ddof=1) / np.sqrt(images)),
        int(np.sum(means == means.max())),
    )


def joint_arm(grid: Grid, means: NDArray[np.float64]) -> int:
    """The combination with the highest mean, float64 of shape (combinations,)."""
    return max(grid.arms.preference, key=means.__getitem__)


def separate_arm(grid: Grid, means: NDArray[np.float64]) -> int:
    """The combination of each setting's best candidate, the others at their base; cur and pre are not both 0."""
    lines = {name: _line(grid, axis) for axis, name in enumerate(grid.axes)}
    best = {name: max(line, key=lambda rank: means[line[rank]]) for name, line in lines.items()}
    if tuple(best.values()) not in grid.cells:
        name = min(("cur", "pre"), key=lambda name: means[lines[name][best[name]]])
        positive = {rank: arm for rank, arm in lines[name].items() if grid.axes[name][rank] != 0}
        best[name] = max(positive, key=lambda rank: means[positive[rank]])
    return grid.cells[tuple(best.values())]


def _line(grid: Grid, axis: int) -> dict[int, int]:
    """Arms by the rank of a setting's candidate, the other settings at the base; the nearest to the base first."""
    candidates = list(grid.axes.values())[axis]
    held = candidates[grid.base[axis]]
    ranks = sorted(range(len(candidates)), key=distances(candidates, held).__getitem__)
    cells: dict[int, Cell] = {rank: (*grid.base[:axis], rank, *grid.base[axis + 1 :]) for rank in ranks}
    return {rank: grid.cells[cell] for rank, cell in cells.items() if cell in grid.cells}
