"""Which neurons a selected neuron chooses (Eq. 1, 4 and 5, Algorithm 1).

An operator's rule lists the *candidates* of each selected neuron Θ with their own evidence Z_cur; the rest is the same for
every operator and stands here: the support of the succeeding layer Z_suc (a count over the Θ of a track), the support of
the preceding layer Z_pre (asked for only where it can matter), the score Ω, the choice of the best, and the shares.

Most selections take one neuron. Of a Θ's candidates only few can then win under any α: those that no other candidate beats
in both Z_cur and Z_pre, and those whose Z_suc exceeds 1. The rest is set aside in one pass, once for all tracks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tracer.config import Selection
from tracer.neurons import TINY, Index, Neurons, Shares, Slots, ordered

Values = NDArray[np.floating[Any]]

CHUNK = 1 << 22
"""Candidates in memory at once; a layer that has more computes them twice, chunk by chunk."""


@dataclass(frozen=True)
class Candidates:
    """Candidates of n selected neurons, those with Z_cur > 0 (where there are none: the strongest).

    Args:
        index: Places in the stored activation of the operator's input, shape (n, m), in the order that breaks ties.
        current: Z_cur (Eq. 2), shape (n, m).
        filled: How many of the m columns hold candidates, shape (n,), at least 1.
        best: Column of the first candidate with the highest Z_cur, shape (n,).
    """

    index: NDArray[np.int32]
    current: Values
    filled: NDArray[np.int32]
    best: NDArray[np.int32]

    @classmethod
    def empty(cls, neurons: int, width: int, dtype: np.dtype) -> "Candidates":
        """Room for the candidates of some neurons."""
        return cls(
            np.empty((neurons, width), np.int32),
            np.empty((neurons, width), dtype),
            np.empty(neurons, np.int32),
            np.empty(neurons, np.int32),
        )


UNKNOWN, EXACT, BOUNDED, WANTED = 0, 1, 2, 3
"""What is known of a neuron's Z_pre."""

FEW = 4
"""Up to so many different (α_cur, α_pre) among the tracks, bounds on Z_pre save more than they cost."""


class Supports:
    """Z_pre of one operation's neurons (Eq. 3), each computed once and only where it can matter.

    Args:
        size: Number of neurons of the operation.
        compute: Returns Z_pre of the neurons at ascending places, shape (n,).
        bound: Returns upper bounds of it, likewise, at a small part of the cost; ``None`` where there is no such.
        dtype: Of the values.
    """

    def __init__(
        self, size: int, compute: Callable[[Index], Values], bound: Callable[[Index], Values] | None, dtype: np.dtype[Any]
    ) -> None:
        self.known = np.zeros(size, np.uint8)
        self.values = np.empty(size, dtype)
        self._compute = compute
        self._bound = bound

    def require(self, candidates: Candidates) -> None:
        """Make Z_pre known of every candidate of a neuron that has a choice."""
        self._learn(_missing(candidates.index, candidates.filled, self.known, BOUNDED))

    def require_contenders(
        self, candidates: Candidates, weights: NDArray[np.float64], popular: NDArray[np.int32]
    ) -> None:
        """Make Z_pre known of every candidate that may have the highest Ω; of the others, a bound that excludes them."""
        pairs = np.unique(weights[:, :2], axis=0) if len(weights) > 1 else weights[:, :2]
        if self._bound is None or len(pairs) > FEW:
            self.require(candidates)
            return
        unknown = np.sort(_missing(candidates.index, candidates.filled, self.known, UNKNOWN))
        if unknown.size:
            self.values[unknown] = self._bound(unknown)
            self.known[unknown] = BOUNDED
        arrays = (candidates.index, candidates.current, candidates.filled, self.values, self.known, pairs, popular)
        self._learn(_favourites(*arrays))
        self._learn(_contenders(*arrays))

    def _learn(self, missing: Index) -> None:
        if missing.size:
            missing = np.sort(missing)
            self.values[missing] = self._compute(missing)
            self.known[missing] = EXACT


def select(
    selected: Neurons,
    width: int,
    list_candidates: Callable[[Index], Candidates],
    supports: Supports,
    alphas: NDArray[np.float64],
    slots: Slots,
    *,
    literal: bool,
    selection: Selection,
) -> Neurons:
    """The neurons that the selected neurons choose among their candidates.

    Args:
        selected: The selected neurons Θ of the operator.
        width: Largest number of candidates of one Θ.
        list_candidates: Returns the candidates of the Θ at given places.
        supports: Z_pre of the operator's input.
        alphas: α_cur, α_suc, α_pre of each track, shape (tracks, 3).
        slots: Working space.
        literal: Whether Ω multiplies by α_suc·Z_suc (the paper) instead of 1 + α_suc·(Z_suc − 1).
        selection: How many each Θ chooses.

    Returns:
        Neurons of the operator's input.
    """
    step = max(1, CHUNK // width)
    chunks = [slice(start, start + step) for start in range(0, len(selected.index), step)]
    kept = list_candidates(selected.index) if len(chunks) == 1 else None
    weights = _weights(alphas, literal)
    needed = selection != "positive" and bool((weights[:, 1] > 0).any())
    counts = np.zeros((0, len(alphas)), np.int32)
    popular = np.zeros(0, np.int32)
    if selection != "positive" and (weights[:, 3] != 0).any():
        best = np.concatenate([_best(kept or list_candidates(selected.index[chunk])) for chunk in chunks])
        popular, counts = _popular(best, selected.shares, slots.first)
    one = selection == 1
    chosen = np.empty(selected.shares.shape if one else (0, 0), np.int32)
    many = _Many(slots, len(alphas))
    for chunk in chunks:
        candidates = kept or list_candidates(selected.index[chunk])
        if needed and one:
            supports.require_contenders(candidates, weights, slots.first)
        elif needed:
            supports.require(candidates)
        values = supports.values if needed else np.zeros(0, candidates.current.dtype)
        arrays = (candidates.index, candidates.current, candidates.filled)
        context = (values, supports.known, selected.shares[chunk], weights, slots.first, counts)
        if one:
            _choose_one(*arrays, *context, chosen[chunk])
        else:
            many.choose(arrays, context, selection)
    slots.first[popular] = 0
    return ordered(*_gathered(chosen, selected.shares, slots.second)) if one else many.neurons()


def choose_branch(
    current: Values, support: Values, shares: Shares, alphas: NDArray[np.float64]
) -> NDArray[np.int32]:
    """The branch of an addition that each neuron of each track follows: the highest Ω with unit weights.

    Args:
        current: Activation of each branch, shape (n, branches): Z_cur.
        support: Z_pre of each branch's neuron, shape (n, branches).
        shares: Shape (n, tracks).
        alphas: Shape (tracks, 3).

    Returns:
        Branch, shape (n, tracks); −1 where the track has not selected the neuron.
    """
    return _choose_branch(current, support, shares, alphas)


def _best(candidates: Candidates) -> Index:
    return candidates.index[np.arange(len(candidates.best)), candidates.best]


def _weights(alphas: NDArray[np.float64], literal: bool) -> NDArray[np.float64]:
    """α_cur, α_pre, a and b of each track, shape (tracks, 4), with Ω = (a + b·Z_suc)·(α_cur·Z_cur + α_pre·Z_pre)."""
    cur, suc, pre = alphas.T
    if literal:
        used = suc > 0  # α_suc = 0 makes every Ω 0, as α_cur = α_pre = 0 does
        return np.ascontiguousarray(np.stack([cur * used, pre * used, 0 * suc, np.where(used, suc, 1.0)], axis=1))
    return np.ascontiguousarray(np.stack([cur, pre, 1 - suc, suc], axis=1))


@njit(cache=True, nogil=True)
def _missing(index, filled, known, state):  # type: ignore[no-untyped-def]
    """Candidates of which no more is known than ``state``, each once; marks them as known exactly."""
    count = 0
    for i in range(filled.size):
        count += filled[i]
    missing = np.empty(count, np.int32)
    count = 0
    for i in range(filled.size):
        if filled[i] > 1:
            for j in range(filled[i]):
                place = index[i, j]
                if known[place] != EXACT and (known[place] == UNKNOWN or state == BOUNDED):
                    known[place] = EXACT
                    missing[count] = place
                    count += 1
    return missing[:count]


@njit(cache=True, nogil=True)
def _favourites(index, current, filled, values, known, pairs, popular):  # type: ignore[no-untyped-def]
    """The bounded candidates that lead some Θ under some (α_cur, α_pre), and all popular ones; marks them as exact."""
    found = np.empty(filled.sum(), np.int32)
    count = 0
    for i in range(filled.size):
        if filled[i] == 1:
            continue
        for p in range(len(pairs)):
            top, highest = 0, -np.inf
            for j in range(filled[i]):
                omega = pairs[p, 0] * current[i, j] + pairs[p, 1] * values[index[i, j]]
                if omega > highest:
                    top, highest = j, omega
            if known[index[i, top]] == BOUNDED:
                known[index[i, top]] = EXACT
                found[count] = index[i, top]
                count += 1
        for j in range(filled[i]):
            place = index[i, j]
            if popular[place] > 0 and known[place] == BOUNDED:
                known[place] = EXACT
                found[count] = place
                count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def _contenders(index, current, filled, values, known, pairs, popular):  # type: ignore[no-untyped-def]
    """The bounded candidates whose bound does not exclude them; marks them as exact.

    A bound excludes a candidate when an exactly known one reaches the Ω that it allows, under each (α_cur, α_pre).
    """
    found = np.empty(filled.sum(), np.int32)
    count = 0
    for i in range(filled.size):
        if filled[i] == 1:
            continue
        for p in range(len(pairs)):
            highest = -np.inf
            for j in range(filled[i]):
                if known[index[i, j]] == EXACT:
                    highest = max(highest, pairs[p, 0] * current[i, j] + pairs[p, 1] * values[index[i, j]])
            if highest < 0:  # then the successors of an exact one may lower it further
                highest = -np.inf
            for j in range(filled[i]):
                place = index[i, j]
                if known[place] == BOUNDED and pairs[p, 0] * current[i, j] + pairs[p, 1] * values[place] >= highest:
                    found[count] = place
                    known[place] = WANTED
                    count += 1
    for f in range(count):
        known[found[f]] = EXACT
    return found[:count]


@njit(cache=True, nogil=True)
def _popular(best, shares, slot_of):  # type: ignore[no-untyped-def]
    """Candidates that are the best of several Θ in some track, and for how many in each track.

    Sets ``slot_of`` to 1 + row of a popular candidate.

    Returns:
        The popular candidates and Z_suc, shape (rows, tracks).
    """
    n, tracks = shares.shape
    distinct = np.empty(n, np.int32)
    found = 0
    for i in range(n):
        if slot_of[best[i]] == 0:
            distinct[found] = best[i]
            found += 1
            slot_of[best[i]] = found
    counts = np.zeros((found, tracks), np.int32)
    for i in range(n):
        row = slot_of[best[i]] - 1
        for t in range(tracks):
            if shares[i, t] > 0:
                counts[row, t] += 1
    kept = 0
    for f in range(found):
        slot_of[distinct[f]] = 0
        if counts[f].max() > 1:
            distinct[kept] = distinct[f]
            counts[kept] = counts[f]
            kept += 1
            slot_of[distinct[f]] = kept
    return distinct[:kept].copy(), counts[:kept].copy()


@njit(cache=True, nogil=True)
def _omega(weights, t, current, support, row, counts):  # type: ignore[no-untyped-def]
    """Ω of Eq. 1; ``row`` is 1 + the candidate's row in ``counts``, or 0."""
    successors = 1 if row == 0 else max(np.int32(1), counts[row - 1, t])
    return (weights[t, 2] + weights[t, 3] * successors) * (weights[t, 0] * current + weights[t, 1] * support)


@njit(cache=True, nogil=True)
def _choose_one(index, current, filled, support, known, shares, weights, popular, counts, chosen):  # type: ignore[no-untyped-def]
    """Fill ``chosen`` (n, tracks) with the candidate of the highest Ω, the first of equals; −1 where not selected."""
    n, tracks = shares.shape
    width = index.shape[1]
    needed = support.size > 0
    place, own, pre = np.empty(width, np.int32), np.empty(width), np.zeros(width)
    front, front_own, front_pre = np.empty(width, np.int32), np.empty(width), np.empty(width)
    raised = np.empty(width, np.int32)
    for i in range(n):
        if filled[i] == 1:
            for t in range(tracks):
                chosen[i, t] = index[i, 0] if shares[i, t] > 0 else -1
            continue
        m, strongest, supported, raised_size = 0, 0, 0, 0
        for j in range(filled[i]):
            if needed and known[index[i, j]] != EXACT:  # excluded by its bound
                continue
            place[m], own[m] = index[i, j], current[i, j]
            if own[m] > own[strongest]:
                strongest = m
            if needed:
                pre[m] = support[place[m]]
                if pre[m] > pre[supported]:
                    supported = m
            if counts.shape[0] > 0 and popular[place[m]] > 0:
                raised[raised_size] = m
                raised_size += 1
            m += 1
        size = 0
        for j in range(m):
            front[size], front_own[size], front_pre[size] = j, own[j], pre[j]
            beaten = own[j] <= own[supported] or pre[j] <= pre[strongest]
            size += not beaten or j == 0 or j == strongest or j == supported
        for t in range(tracks):
            if shares[i, t] == 0:
                chosen[i, t] = -1
                continue
            of_own, of_pre = weights[t, 0], weights[t, 1]
            top, score = 0, of_own * front_own[0] + of_pre * front_pre[0]
            for f in range(1, size):
                other = of_own * front_own[f] + of_pre * front_pre[f]
                if other > score:
                    top, score = f, other
            winner = front[top]
            highest = (weights[t, 2] + weights[t, 3]) * score
            for r in range(raised_size):
                j = raised[r]
                omega = _omega(weights, t, own[j], pre[j], popular[place[j]], counts)
                if omega > highest or (omega == highest and j < winner):
                    winner, highest = j, omega
            if highest < 0:  # a candidate below 0 is not raised by its successors: look at all
                highest = -np.inf
                for j in range(m):
                    omega = _omega(weights, t, own[j], pre[j], popular[place[j]], counts)
                    if omega > highest:
                        winner, highest = j, omega
            chosen[i, t] = place[winner]


@njit(cache=True, nogil=True)
def _gathered(chosen, shares, slot_of):  # type: ignore[no-untyped-def]
    """The union of the chosen neurons over all Θ (Eq. 5) with the shares handed to them."""
    n, tracks = chosen.shape
    distinct = np.empty(min(n * tracks, slot_of.size), np.int32)
    found = 0
    for i in range(n):
        for t in range(tracks):
            place = chosen[i, t]
            if place >= 0 and slot_of[place] == 0:
                distinct[found] = place
                found += 1
                slot_of[place] = found
    total = np.zeros((found, tracks), np.float64)
    for i in range(n):
        for t in range(tracks):
            if chosen[i, t] >= 0:
                total[slot_of[chosen[i, t]] - 1, t] += shares[i, t]
    for f in range(found):
        slot_of[distinct[f]] = 0
    return distinct[:found].copy(), total


@njit(cache=True, nogil=True)
def _choose_branch(current, support, shares, alphas):  # type: ignore[no-untyped-def]
    n, branches = current.shape
    tracks = shares.shape[1]
    chosen = np.full((n, tracks), -1, np.int32)
    for i in range(n):
        strongest, positive = 0, False
        for b in range(branches):
            positive |= current[i, b] > 0
            if current[i, b] > current[i, strongest]:
                strongest = b
        for t in range(tracks):
            if shares[i, t] == 0:
                continue
            chosen[i, t] = strongest
            highest = -np.inf
            for b in range(branches):
                omega = alphas[t, 0] * current[i, b] + alphas[t, 2] * support[i, b]
                if positive and current[i, b] > 0 and omega > highest:
                    chosen[i, t], highest = b, omega
    return chosen


@njit(cache=True, nogil=True)
def branch_part(chosen, branch, index, shares):  # type: ignore[no-untyped-def]
    """The neurons that some track hands to a branch, with the shares of those tracks."""
    n, tracks = shares.shape
    part, of_part = np.empty(n, np.int32), np.zeros((n, tracks), np.float64)
    size = 0
    for i in range(n):
        some = False
        for t in range(tracks):
            if chosen[i, t] == branch:
                of_part[size, t] = shares[i, t]
                some = True
        part[size] = index[i]
        size += some
    return part[:size].copy(), of_part[:size].copy()


class _Many:
    """Collects selections of several candidates a Θ."""

    def __init__(self, slots: Slots, tracks: int) -> None:
        self._slot_of = slots.second
        self._index = np.empty(0, np.int32)
        self._shares = np.empty((0, tracks), np.float64)

    def choose(self, arrays: tuple[Any, ...], context: tuple[Any, ...], selection: Selection) -> None:
        """Add what the Θ of one chunk choose."""
        index, _, filled = arrays
        fresh = _distinct(index, filled, self._slot_of, len(self._index))
        self._index = np.concatenate([self._index, fresh])
        self._shares = np.concatenate([self._shares, np.zeros((len(fresh), self._shares.shape[1]))])
        number = selection if isinstance(selection, int) else -1
        mass = selection if isinstance(selection, float) else -1.0
        _choose_many(*arrays, *context, number, mass, self._slot_of, self._shares)

    def neurons(self) -> Neurons:
        """The union of all that was chosen."""
        self._slot_of[self._index] = 0
        used = self._shares.any(axis=1)
        return ordered(self._index[used], self._shares[used])


@njit(cache=True, nogil=True)
def _distinct(index, filled, slot_of, found):  # type: ignore[no-untyped-def]
    """Candidates that have no slot yet; gives them the slots after ``found`` (stored as slot + 1)."""
    distinct = np.empty(min(index.size, slot_of.size), np.int32)
    fresh = 0
    for i in range(filled.size):
        for j in range(filled[i]):
            if slot_of[index[i, j]] == 0:
                distinct[fresh] = index[i, j]
                fresh += 1
                slot_of[index[i, j]] = found + fresh
    return distinct[:fresh].copy()


@njit(cache=True, nogil=True)
def _choose_many(  # type: ignore[no-untyped-def]
    index, current, filled, support, known, shares, weights, popular, counts, number, mass, slot_of, total
):
    """Add to ``total`` the shares of the first ``number`` candidates by Ω, of a ``mass`` of Z_cur, or of all (both −1)."""
    n, tracks = shares.shape
    needed = support.size > 0
    some_popular = counts.shape[0] > 0
    omegas = np.empty(index.shape[1], np.float64)
    order = np.empty(index.shape[1], np.int64)
    for i in range(n):
        m = filled[i]
        if m == 1 or (number < 0 and mass < 0):
            evidence = 0.0
            for j in range(m):
                evidence += current[i, j]
            for j in range(m):
                part = 1.0 if m == 1 else current[i, j] / evidence
                slot = slot_of[index[i, j]] - 1
                for t in range(tracks):
                    if shares[i, t] > 0:
                        total[slot, t] += max(shares[i, t] * part, TINY)
            continue
        boosted = False
        if some_popular:
            for j in range(m):
                boosted |= popular[index[i, j]] > 0
        evidence = 0.0
        for j in range(m):
            evidence += current[i, j]
        taken = 0
        held = 0.0
        for t in range(tracks):
            if shares[i, t] == 0:
                continue
            same = False
            if t > 0 and shares[i, t - 1] > 0 and not boosted:
                same = weights[t, 0] == weights[t - 1, 0] and weights[t, 1] == weights[t - 1, 1]
            if not same:
                for j in range(m):
                    row = popular[index[i, j]] if some_popular else 0
                    omegas[j] = _omega(
                        weights, t, current[i, j], support[index[i, j]] if needed else 0.0, row, counts
                    )
                taken, held = _best_first(omegas, order, current[i], m, number, mass * evidence)
            for place in range(taken):
                j = order[place]
                total[slot_of[index[i, j]] - 1, t] += max(shares[i, t] * (current[i, j] / held), TINY)


@njit(cache=True, nogil=True)
def _best_first(omegas, order, current, m, number, mass):  # type: ignore[no-untyped-def]
    """Bring the candidates to take to the front of ``order``; how many they are and their evidence.

    The first of equals comes first. Without a number, the fewest that hold ``mass`` of the evidence are taken.
    """
    for j in range(m):
        order[j] = j
    taken, held = 0, 0.0
    while taken < m and (taken < number if number > 0 else held < mass):
        top = taken
        for place in range(taken + 1, m):
            a, b = order[place], order[top]
            if omegas[a] > omegas[b] or (omegas[a] == omegas[b] and a < b):
                top = place
        order[taken], order[top] = order[top], order[taken]
        held += current[order[taken]]
        taken += 1
    return taken, held
