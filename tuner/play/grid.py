"""The joint grid of the three weights, and which of its cells are the same to every trace."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from storage.rows import Triple

WEIGHTS: tuple[Literal["cur", "suc", "pre"], ...] = ("cur", "suc", "pre")
"""The weights of Eq. 1, in the order of a triple and of a cell."""

Cell = tuple[int, int, int]
"""A place in the grid: the rank of a candidate value of cur, suc and pre, each in ascending order."""


@dataclass(frozen=True)
class Grid:
    """Every combination of the candidate values, the equal ones taken together.

    Of cur and pre only the ratio matters to a ranking (Eq. 1), and under ``successor: paper`` suc matters not at all:
    cells that differ in nothing else are one triple. Where cur and pre are both 0 nothing is ranked: no triple.

    Args:
        values: The candidate values of cur, suc and pre, ascending.
        triples: What there is to choose from: of the cells that are equal, the triple nearest to the base.
        arms: The triple of each cell, as its rank in ``triples``; cells that rank nothing are absent.
        preference: The triples by rank, the nearest to the base first.
        base: The cell nearest to the base.
    """

    values: tuple[tuple[float, ...], ...]
    triples: tuple[Triple, ...]
    arms: Mapping[Cell, int]
    preference: tuple[int, ...]
    base: Cell


def make_grid(values: Sequence[Sequence[float]], base: Triple, successor: Literal["excess", "paper"]) -> Grid:
    """The grid of the candidate values.

    Args:
        values: Those of cur, suc and pre, in any order.
        base: Breaks ties: the nearest triple stands for those equal to it.
        successor: How Eq. 1 reads suc (:class:`tracer.TraceConfig`).

    Raises:
        ValueError: If no cell has a cur or pre above 0.
    """
    cur, suc, pre = (tuple(sorted(axis)) for axis in values)
    cells: dict[Cell, Triple] = {
        (i, j, k): Triple(cur[i], suc[j], pre[k])
        for i, j, k in product(range(len(cur)), range(len(suc)), range(len(pre)))
        if cur[i] or pre[k]
    }
    if not cells:
        raise ValueError("cur and pre are 0 in every triple, so there is nothing to rank; add a value above 0")
    nearest = sorted(cells, key=lambda cell: (math.dist(cells[cell], base), cell))
    chosen: dict[tuple[float, float], Triple] = {}
    for cell in nearest:
        chosen.setdefault(_kind(cells[cell], successor), cells[cell])
    triples = sorted(chosen.values())
    rank = {triple: arm for arm, triple in enumerate(triples)}
    arms = {cell: rank[chosen[_kind(triple, successor)]] for cell, triple in cells.items()}
    preference = tuple(dict.fromkeys(arms[cell] for cell in nearest))
    return Grid((cur, suc, pre), tuple(triples), arms, preference, nearest[0])


def _kind(triple: Triple, successor: str) -> tuple[float, float]:
    """Equal for triples that rank every set of neurons alike; the ratio is rounded, as 0.1 / 0.3 is not 0.2 / 0.6."""
    share = round(triple.pre / (triple.cur + triple.pre), 9)
    return share, triple.suc if successor == "excess" else 0.0
