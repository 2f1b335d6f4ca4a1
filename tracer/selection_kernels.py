"""The inner loops of :mod:`tracer.selection`, compiled; that module explains the terms.

Every function takes the arrays ``index``, ``current``, ``filled`` and ``best`` of
:class:`tracer.selection.Candidates`, in the shapes given there. ``weights`` has a row a track: α_cur, α_pre, a and b,
so that Ω = (a + b·Z_suc)·(α_cur·Z_cur + α_pre·Z_pre). ``known`` says of each neuron whether its Z_pre is unknown,
bounded from above, or exact, and ``values`` holds it. ``slot_of`` is working space: one number a neuron, 0 unless said.
"""

import numpy as np
from numba import njit

from tracer.neurons import TINY

UNKNOWN, EXACT, BOUNDED, WANTED = 0, 1, 2, 3
"""What is known of a neuron's Z_pre."""


@njit(cache=True, nogil=True)
def list_missing(index, filled, known, state):  # type: ignore[no-untyped-def]
    """The candidates whose Z_pre is not known better than ``state``, each listed once.

    They are marked as exact, for the caller goes on to compute them.
    """
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
def find_favourites(index, current, filled, values, known, pairs, popular):  # type: ignore[no-untyped-def]
    """The candidates to look at first: those that would win if their bounds were exact, and the popular ones.

    A candidate would win where it has the highest Ω of some Θ under one of the pairs (α_cur, α_pre). Those found are
    marked as exact, for the caller goes on to compute them.
    """
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
def find_contenders(index, current, filled, values, known, pairs):  # type: ignore[no-untyped-def]
    """The candidates that may still win although only a bound of their Z_pre is known.

    A bound rules a candidate out when another one, whose Z_pre is exact, has at least the Ω that the bound allows,
    under every pair (α_cur, α_pre). Those not ruled out are marked as exact, for the caller goes on to compute them.
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
def find_popular(best, shares, slot_of):  # type: ignore[no-untyped-def]
    """The popular candidates: each is the strongest of several Θ in some track.

    ``slot_of`` is left at 1 + the row of each popular candidate; the caller sets it back to 0.

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
def evaluate(weights, t, current, support, row, counts):  # type: ignore[no-untyped-def]
    """Ω of Eq. 1; ``row`` is 1 + the candidate's row in ``counts``, or 0."""
    successors = 1 if row == 0 else max(np.int32(1), counts[row - 1, t])
    return (weights[t, 2] + weights[t, 3] * successors) * (weights[t, 0] * current + weights[t, 1] * support)


@njit(cache=True, nogil=True)
def choose_one(index, current, filled, support, known, shares, weights, popular, counts, chosen):  # type: ignore[no-untyped-def]
    """Fill ``chosen`` (n, tracks) with the candidate of the highest Ω, the first of equals; −1 where not selected."""
    n, tracks = shares.shape
    width = index.shape[1]
    needed = support.size > 0
    place, own, pre = np.empty(width, np.int32), np.empty(width), np.zeros(width)
    raised = np.empty(width, np.int32)
    of_own, of_pre = weights[:, 0].copy(), weights[:, 1].copy()
    gains = gain(weights, counts)
    winner, highest = np.empty(tracks, np.int64), np.empty(tracks)
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
        winner[:] = 0
        highest[:] = -np.inf
        for j in range(m):
            beaten = own[j] <= own[supported] or pre[j] <= pre[strongest]
            if not beaten or j == 0 or j == strongest or j == supported:
                contend(j, own[j], pre[j], gains[0], of_own, of_pre, winner, highest)
        for r in range(raised_size):
            j = raised[r]
            contend(j, own[j], pre[j], gains[popular[place[j]]], of_own, of_pre, winner, highest)
        for t in range(tracks):
            if shares[i, t] == 0:
                chosen[i, t] = -1
                continue
            if highest[t] < 0:  # a candidate below 0 is not raised by its successors: look at all
                highest[t] = -np.inf
                for j in range(m):
                    omega = gains[popular[place[j]], t] * (of_own[t] * own[j] + of_pre[t] * pre[j])
                    if omega > highest[t]:
                        winner[t], highest[t] = j, omega
            chosen[i, t] = place[winner[t]]


@njit(cache=True, nogil=True)
def contend(j, own, pre, gains, of_own, of_pre, winner, highest):  # type: ignore[no-untyped-def]
    """Let a candidate win the tracks in which its Ω is higher, or as high where it comes first."""
    for t in range(winner.size):
        omega = gains[t] * (of_own[t] * own + of_pre[t] * pre)
        better = omega > highest[t] or (omega == highest[t] and j < winner[t])
        winner[t] = j if better else winner[t]
        highest[t] = omega if better else highest[t]


@njit(cache=True, nogil=True)
def gain(weights, counts):  # type: ignore[no-untyped-def]
    """What Z_suc multiplies Ω by, a row a popular candidate after the row of those that are not; (1 + rows, tracks)."""
    rows, tracks = counts.shape
    gains = np.empty((1 + rows, tracks))
    for t in range(tracks):
        gains[0, t] = weights[t, 2] + weights[t, 3]
        for row in range(rows):
            gains[1 + row, t] = weights[t, 2] + weights[t, 3] * max(np.int32(1), counts[row, t])
    return gains


@njit(cache=True, nogil=True)
def gather(chosen, shares, slot_of):  # type: ignore[no-untyped-def]
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
def choose_branch(current, support, shares, alphas):  # type: ignore[no-untyped-def]
    """The branch of the highest Ω with unit weights of each neuron and track; −1 where not selected."""
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
def part_of_branch(chosen, branch, index, shares):  # type: ignore[no-untyped-def]
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


@njit(cache=True, nogil=True)
def list_distinct(index, filled, slot_of, found):  # type: ignore[no-untyped-def]
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
def choose_many(  # type: ignore[no-untyped-def]
    index, current, filled, support, shares, weights, popular, counts, number, mass, by_score, slot_of, total
):
    """Add to ``total`` the shares of the first ``number`` by Ω, of a ``mass`` of Z_cur, or of all (both −1).

    A share is divided in proportion to Z_cur, or ``by_score`` to Ω where some Ω is positive.
    """
    n, tracks = shares.shape
    needed = support.size > 0
    some_popular = counts.shape[0] > 0
    omegas = np.empty(index.shape[1], np.float64)
    order = np.empty(index.shape[1], np.int64)
    for i in range(n):
        m = filled[i]
        every = number < 0 and mass < 0
        if m == 1 or (every and not by_score):
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
        held, score = 0.0, 0.0
        for t in range(tracks):
            if shares[i, t] == 0:
                continue
            same = False
            if t > 0 and shares[i, t - 1] > 0 and not boosted:
                same = weights[t, 0] == weights[t - 1, 0] and weights[t, 1] == weights[t - 1, 1]
            if not same:
                for j in range(m):
                    row = popular[index[i, j]] if some_popular else 0
                    omegas[j] = evaluate(
                        weights, t, current[i, j], support[index[i, j]] if needed else 0.0, row, counts
                    )
                if every:
                    for j in range(m):
                        order[j] = j
                    taken, held = m, evidence
                else:
                    taken, held = bring_best_first(omegas, order, current[i], m, number, mass * evidence)
                score = 0.0
                if by_score:
                    for place in range(taken):
                        score += max(omegas[order[place]], 0.0)
            for place in range(taken):
                j = order[place]
                part = max(omegas[j], 0.0) / score if score > 0 else current[i, j] / held
                total[slot_of[index[i, j]] - 1, t] += max(shares[i, t] * part, TINY)


@njit(cache=True, nogil=True)
def bring_best_first(omegas, order, current, m, number, mass):  # type: ignore[no-untyped-def]
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
