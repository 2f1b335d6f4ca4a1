"""The combinations of several settings' candidates, those that are equal by construction taken together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from storage.models import Value
from tracer import Settings
from tuner.spec.arms import JOINT, MOST, ArmSet, distances, is_number, others
from tuner.spec.canonical import canonical, ranks_nothing

Cell = tuple[int, ...]
"""A place in the grid: the rank of a candidate on each axis."""


@dataclass(frozen=True)
class Grid:
    """Every combination of the candidates of several settings.

    Combinations that are equal by construction (:func:`tuner.spec.canonical.canonical`) are one arm, and the one
    nearest to the base stands for them. Combinations that rank nothing, because cur and pre are both 0, are no arm.

    Args:
        axes: The candidates of each setting: ascending where all are numbers, else in the order given.
        arms: The combinations.
        cells: The arm of each cell; cells that rank nothing are absent.
        base: The cell nearest to the base.
    """

    axes: Mapping[str, tuple[Value, ...]]
    arms: ArmSet
    cells: Mapping[Cell, int]
    base: Cell


def make_grid(candidates: Mapping[str, Sequence[Value]], base: Settings) -> Grid:
    """The grid of the candidates of each setting; settings that are not named are held at the base.

    Distances to the base are those of :func:`tuner.spec.arms.distances`, a setting an axis.

    Raises:
        ValueError: If there are more than :data:`MOST` arms, or none.
    """
    axes = {name: _ordered(axis) for name, axis in candidates.items()}
    size = math.prod(map(len, axes.values()))
    if size > 10 * MOST:
        raise _too_many(size)
    cells: dict[Cell, Settings] = {}
    for cell in product(*(range(len(axis)) for axis in axes.values())):
        settings = base.changed(_values(axes, cell))
        if not ranks_nothing(settings):
            cells[cell] = settings
    if not cells:
        raise ValueError("cur and pre are 0 in every combination, so nothing is ranked; add a value above 0")
    nearest = _nearest_first(axes, cells, base)
    kinds = {cell: canonical(settings) for cell, settings in cells.items()}
    standing: dict[Settings, Cell] = {}
    for cell in nearest:
        standing.setdefault(kinds[cell], cell)
    chosen = sorted(standing.values())
    if len(chosen) > MOST:
        raise _too_many(len(chosen))
    rank = {cell: arm for arm, cell in enumerate(chosen)}
    arm_of = {cell: rank[standing[kind]] for cell, kind in kinds.items()}
    arms = ArmSet(
        JOINT,
        tuple(axes),
        tuple(_values(axes, cell) for cell in chosen),
        tuple(cells[cell] for cell in chosen),
        tuple(dict.fromkeys(arm_of[cell] for cell in nearest)),
        others(base, tuple(axes)),
    )
    return Grid(axes, arms, arm_of, nearest[0])


def _values(axes: Mapping[str, Sequence[Value]], cell: Cell) -> dict[str, Value]:
    return {name: axis[rank] for (name, axis), rank in zip(axes.items(), cell, strict=True)}


def _ordered(candidates: Sequence[Value]) -> tuple[Value, ...]:
    """Candidates by size where all are numbers, else as they are written."""
    numbers = [value for value in candidates if is_number(value)]
    return tuple(sorted(numbers)) if len(numbers) == len(candidates) else tuple(candidates)


def _nearest_first(axes: Mapping[str, Sequence[Value]], cells: Mapping[Cell, Settings], base: Settings) -> list[Cell]:
    held = base.values()
    steps = [distances(axis, held[name]) for name, axis in axes.items()]

    def far(cell: Cell) -> float:
        return math.hypot(*(step[rank] for step, rank in zip(steps, cell, strict=True)))

    return sorted(cells, key=lambda cell: (far(cell), cell))


def _too_many(arms: int) -> ValueError:
    return ValueError(f"{arms:,} combinations are more than the {MOST:,} of one bandit; leave some candidates out")
