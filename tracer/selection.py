"""Which neurons a selected neuron chooses (Eq. 1, 4 and 5, Algorithm 1).

A selected neuron is called Θ here. The neurons of the layer before it that it may choose are its *candidates*. An
operator's rule lists them with their own evidence Z_cur. Everything after that is the same for every operator and
stands in this module:

1. Z_suc is counted: of how many Θ a candidate is the strongest. A candidate that is the strongest of more than one Θ is
   called *popular*, for only then does Z_suc differ from its default of 1.
2. Z_pre is asked for, where it can change the choice. It costs more than everything else.
3. Ω is computed by Eq. 1, and each Θ chooses the candidates with the highest.
4. Each Θ divides its share among those it chose, and shares of a neuron that several Θ chose add up.

Mostly a Θ chooses one candidate. Then few candidates can win under any weights α: those that no other candidate beats
in both Z_cur and Z_pre, and the popular ones. The others are set aside once, for all tracks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracer import selection_kernels as kernels
from tracer.config import Selection
from tracer.neurons import Index, Neurons, Shares, Slots, sort, union

Values = NDArray[np.floating[Any]]

CHUNK = 1 << 22
"""Candidates in memory at once; a layer that has more computes them twice, chunk by chunk."""


@dataclass(frozen=True)
class Candidates:
    """Candidates of n selected neurons, those with Z_cur > 0 (where there are none: the strongest), in one list.

    Args:
        index: Places in the stored activation of the operator's input, those of one neuron together and in the order
            that breaks ties, shape (candidates,).
        current: Z_cur (Eq. 2), shape (candidates,).
        spans: Where each neuron's candidates, at least one, start in the list, and where they end, shape (n, 2). The
            neurons may stand in any order there.
        best: Where in the list each neuron's first candidate with the highest Z_cur stands, shape (n,).
    """

    index: NDArray[np.int32]
    current: Values
    spans: NDArray[np.int64]
    best: NDArray[np.int64]


@dataclass(frozen=True)
class Lister:
    """Lists the candidates of an operator on one image.

    Args:
        width: Largest number of candidates of one Θ.
        dtype: Of their Z_cur.
        fill: Fills in the arrays of :class:`Candidates`, the first two of which have room for ``width`` candidates of
            each Θ. It is called with the places of the Θ, the places of the popular candidates, and these arrays.
        complete: Whether every candidate is listed. Where not, those are missing that only a Z_suc above 1 could bring
            to the front. The popular candidates, whose Z_suc is above 1, are therefore listed in any case.
    """

    width: int
    dtype: np.dtype[Any]
    fill: Callable[[Index, Index, tuple[NDArray[Any], ...]], None]
    complete: bool = True

    def candidates(self, index: Index, popular: Index) -> Candidates:
        """The candidates of the Θ at given places."""
        room = len(index) * self.width
        places, current = np.empty(room, np.int32), np.empty(room, self.dtype)
        spans, best = np.empty((len(index), 2), np.int64), np.empty(len(index), np.int64)
        self.fill(index, popular, (places, current, spans, best))
        size = spans[:, 1].max()
        return Candidates(places[:size], current[:size], spans, best)


FEW = 100
"""For up to so many candidates, bounds on Z_pre cost more than they save."""
SHARED = 32
"""Where a candidate is one of more than so many Θ on average, likewise: every Θ looks at the bounds of its own."""


class Supports:
    """Z_pre of one operation's neurons (Eq. 3), each computed once and only where it can matter.

    Args:
        size: Number of neurons of the operation.
        compute: Returns Z_pre of the neurons at ascending places, shape (n,).
        bound: Returns upper bounds of it, likewise, at a small part of the cost; ``None`` where there is no such.
        dtype: Of the values.
    """

    def __init__(
        self,
        size: int,
        compute: Callable[[Index], Values],
        bound: Callable[[Index], Values] | None,
        dtype: np.dtype[Any],
    ) -> None:
        self.known = np.zeros(size, np.uint8)
        self.values = np.empty(size, dtype)
        self._compute = compute
        self._bound = bound
        self._bounded = False

    def require(self, candidates: Candidates, popular: NDArray[np.int32] | None = None) -> None:
        """Make Z_pre known of every candidate of a neuron that has a choice.

        Args:
            candidates: The candidates.
            popular: Above 0 at the places of the popular candidates. With it, each neuron chooses one candidate; then
                those that cannot have the highest Ω may be left with a bound that excludes them.
        """
        index, spans, best = candidates.index, candidates.spans, candidates.best
        if index.size > SHARED * self.known.size:  # then nearly every neuron is one
            self.require_places(np.arange(self.known.size, dtype=np.int32))
            return
        if popular is None or self._bound is None:
            self._learn(kernels.list_missing(index, spans, self.known, kernels.BOUNDED))
            return
        unknown = kernels.list_missing(index, spans, self.known, kernels.UNKNOWN)
        if unknown.size <= FEW or index.size > SHARED * unknown.size:
            self._learn(unknown)
        else:
            unknown = np.sort(unknown)
            self.values[unknown] = self._bound(unknown)
            self.known[unknown] = kernels.BOUNDED
            self._bounded = True
        if self._bounded:
            self._learn(kernels.find_leaders(index, spans, best, self.values, self.known, popular))
            self._learn(kernels.find_contenders(index, candidates.current, spans, best, self.values, self.known))

    def require_places(self, index: Index) -> None:
        """Make Z_pre known of the neurons at given places."""
        self._learn(index[self.known[index] != kernels.EXACT])

    def _learn(self, missing: Index) -> None:
        if missing.size:
            missing = np.sort(missing)
            self.values[missing] = self._compute(missing)
            self.known[missing] = kernels.EXACT


def select(
    selected: Neurons,
    lister: Lister,
    supports: Supports,
    alphas: NDArray[np.float64],
    slots: Slots,
    *,
    literal: bool,
    selection: Selection,
    by_score: bool = False,
    expand: Callable[[int, Neurons], Neurons] | None = None,
) -> Neurons:
    """The neurons that the selected neurons choose among their candidates.

    Args:
        selected: The selected neurons Θ of the operator.
        lister: Lists their candidates.
        supports: Z_pre of the operator's input.
        alphas: α_cur, α_suc, α_pre of each track, shape (tracks, 3).
        slots: Working space.
        literal: Whether Ω multiplies by α_suc·Z_suc (the paper) instead of 1 + α_suc·(Z_suc − 1).
        selection: How many each Θ chooses.
        by_score: Whether a Θ's share is divided in proportion to Ω among those it chooses, instead of to Z_cur.
        expand: Replaces the neurons that the Θ at a place chooses by those that they stand for.

    Returns:
        Neurons of the operator's input.
    """
    step = 1 if expand else max(1, CHUNK // lister.width)
    chunks = [slice(start, start + step) for start in range(0, len(selected.index), step)]
    popular = np.zeros(0, np.int32)
    kept = lister.candidates(selected.index, popular) if len(chunks) == 1 else None
    weights = _weights(alphas, literal)
    ranked = selection != "positive" or by_score
    needed = ranked and bool((weights[:, 1] > 0).any())
    counts = np.zeros((0, len(alphas)), np.int32)
    if ranked and (weights[:, 3] != 0).any():
        best = np.concatenate([_best(kept or lister.candidates(selected.index[chunk], popular)) for chunk in chunks])
        popular, counts = kernels.find_popular(best, selected.shares, slots.first)
        if len(popular) and not lister.complete:
            kept = None
    one = selection == 1
    chosen = np.empty(selected.shares.shape if one else (0, 0), np.int32)
    many = _Many(slots, len(alphas))
    parts: list[Neurons] = []
    for chunk in chunks:
        candidates = kept or lister.candidates(selected.index[chunk], popular)
        if needed:
            supports.require(candidates, slots.first if one else None)
        values = supports.values if needed else np.zeros(0, candidates.current.dtype)
        arrays = (candidates.index, candidates.current, candidates.spans)
        context = (selected.shares[chunk], weights, slots.first, counts)
        if one:
            kernels.choose_one(*arrays, values, supports.known, *context, chosen[chunk])
        else:
            many.choose((*arrays, values, *context), selection, by_score)
        if expand:
            part = sort(*kernels.gather(chosen[chunk], selected.shares[chunk], slots.second)) if one else many.take()
            parts.append(expand(int(selected.index[chunk.start]), part))
    slots.first[popular] = 0
    if expand:
        return union(parts, slots)
    return sort(*kernels.gather(chosen, selected.shares, slots.second)) if one else many.take()


def choose_branch(current: Values, support: Values, shares: Shares, alphas: NDArray[np.float64]) -> NDArray[np.int32]:
    """The branch of an addition that each neuron of each track follows: the highest Ω with unit weights.

    Args:
        current: Activation of each branch, shape (n, branches): Z_cur.
        support: Z_pre of each branch's neuron, shape (n, branches).
        shares: Shape (n, tracks).
        alphas: Shape (tracks, 3).

    Returns:
        Branch, shape (n, tracks); −1 where the track has not selected the neuron.
    """
    branches: NDArray[np.int32] = kernels.choose_branch(current, support, shares, alphas)
    return branches


def _best(candidates: Candidates) -> Index:
    best: Index = candidates.index[candidates.best]
    return best


def _weights(alphas: NDArray[np.float64], literal: bool) -> NDArray[np.float64]:
    """α_cur, α_pre, a and b of each track, shape (tracks, 4), with Ω = (a + b·Z_suc)·(α_cur·Z_cur + α_pre·Z_pre)."""
    cur, suc, pre = alphas.T
    weights = np.empty((len(alphas), 4))
    if literal:
        used = suc > 0  # α_suc = 0 makes every Ω 0, as α_cur = α_pre = 0 does
        weights[:, 0], weights[:, 1], weights[:, 2], weights[:, 3] = cur * used, pre * used, 0, np.where(used, suc, 1)
    else:
        weights[:, 0], weights[:, 1], weights[:, 2], weights[:, 3] = cur, pre, 1 - suc, suc
    return weights


class _Many:
    """Collects selections of several candidates a Θ."""

    def __init__(self, slots: Slots, tracks: int) -> None:
        self._slot_of = slots.second
        self._tracks = tracks
        self._clear()

    def _clear(self) -> None:
        self._index = np.empty(0, np.int32)
        self._shares = np.empty((0, self._tracks), np.float64)

    def choose(self, arrays: tuple[Any, ...], selection: Selection, by_score: bool) -> None:
        """Add what the Θ of one chunk choose; ``arrays`` are the kernel's."""
        fresh = kernels.list_distinct(arrays[0], self._slot_of, len(self._index))
        self._index = np.concatenate([self._index, fresh])
        self._shares = np.concatenate([self._shares, np.zeros((len(fresh), self._shares.shape[1]))])
        number = selection if isinstance(selection, int) else -1
        mass = selection if isinstance(selection, float) else -1.0
        slots: tuple[Any, ...] = (number, mass, by_score, self._slot_of, self._shares)
        kernels.choose_many(*arrays, *slots)

    def take(self) -> Neurons:
        """The union of all that was chosen since the last call."""
        self._slot_of[self._index] = 0
        used = self._shares.any(axis=1)
        neurons = sort(self._index[used], self._shares[used])
        self._clear()
        return neurons
