"""The inner loops of :mod:`tracer.selection`, compiled; that module explains the terms.

The arrays ``index``, ``current``, ``spans`` and ``best`` are those of :class:`tracer.selection.Candidates`.
``weights`` has a row a track: α_cur, α_pre, a and b, so that Ω = (a + b·Z_suc)·(α_cur·Z_cur + α_pre·Z_pre). ``known``
says of each neuron whether its Z_pre is unknown, bounded from above, or exact, and ``values`` holds it. ``slot_of`` is
working space: one number a neuron, 0 unless said.
"""

import numpy as np
from numba import njit

from tracer.neurons import TINY
from tracer.vectors import EXACTLY, maximum

UNKNOWN, EXACT, BOUNDED, WANTED = 0, 1, 2, 3
"""What is known of a neuron's Z_pre."""


@njit(cache=True, nogil=True)
def list_missing(index, spans, known, state):  # type: ignore[no-untyped-def]
    """The candidates of neurons with a choice whose Z_pre is not known better than ``state``, each listed once.

    They are marked as exact, for the caller goes on to compute them.
    """
    missing = np.empty(index.size, np.int32)
    count = 0
    for i in range(len(spans)):
        start, stop = spans[i, 0], spans[i, 1]
        if stop - start == 1:
            continue
        for j in range(start, stop):
            before = known[index[j]]
            wanted = before == UNKNOWN or before == state
            missing[count] = index[j]
            known[index[j]] = EXACT if wanted else before
            count += wanted
    return missing[:count]


@njit(cache=True, nogil=True)
def find_leaders(index, spans, best, values, known, popular):  # type: ignore[no-untyped-def]
    """The candidates to look at first: of each Θ the first, the strongest, the highest bound, and the popular ones.

    Those found are marked as exact, for the caller goes on to compute them.
    """
    found = np.empty(index.size, np.int32)
    count = 0
    for i in range(len(spans)):
        start, stop = spans[i, 0], spans[i, 1]
        if stop - start == 1:
            continue
        top, highest = start, -np.inf
        for j in range(start, stop):
            value = values[index[j]]
            top = j if value > highest else top
            highest = value if value > highest else highest
            found[count] = index[j]
            wanted = popular[index[j]] > 0 and known[index[j]] == BOUNDED
            known[index[j]] = EXACT if wanted else known[index[j]]
            count += wanted
        for j in (start, best[i], top):
            if known[index[j]] == BOUNDED:
                known[index[j]] = EXACT
                found[count] = index[j]
                count += 1
    return found[:count]


@njit(cache=True, nogil=True)
def find_contenders(index, current, spans, best, values, known):  # type: ignore[no-untyped-def]
    """The candidates that may still win, under some weights, although only a bound of their Z_pre is known.

    A bound rules a candidate out where another one, whose Z_pre is exact and not below 0, has more than it allows, and
    no less Z_cur: the strongest, or the one with the highest exact Z_pre. Those not ruled out are marked as exact, for
    the caller goes on to compute them.
    """
    found = np.empty(index.size, np.int32)
    count = 0
    for i in range(len(spans)):
        start, stop = spans[i, 0], spans[i, 1]
        if stop - start == 1:
            continue
        supported, most = best[i], values[index[best[i]]]
        least = most if most >= 0 else -np.inf
        for j in range(start, stop):
            above = known[index[j]] == EXACT and values[index[j]] > most
            supported = j if above else supported
            most = values[index[j]] if above else most
        least_own = current[supported] if least >= 0 else -np.inf
        for j in range(start, stop):
            bound = values[index[j]]
            found[count] = index[j]
            wanted = known[index[j]] == BOUNDED and bound >= least and (current[j] > least_own or bound >= most)
            known[index[j]] = WANTED if wanted else known[index[j]]
            count += wanted
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
        most = 0
        for t in range(tracks):
            most = max(most, counts[f, t])
        if most > 1:
            distinct[kept] = distinct[f]
            for t in range(tracks):
                counts[kept, t] = counts[f, t]
            kept += 1
            slot_of[distinct[f]] = kept
    return distinct[:kept], counts[:kept]


@njit(cache=True, nogil=True)
def evaluate(factor, alpha_cur, current, alpha_pre, support):  # type: ignore[no-untyped-def]
    """Ω of Eq. 1; ``factor`` is what Z_suc multiplies it by (:func:`gain`)."""
    return factor * (alpha_cur * current + alpha_pre * support)


@njit(cache=True, nogil=True)
def choose_one(index, current, spans, support, known, shares, weights, popular, counts, chosen):  # type: ignore[no-untyped-def]
    """Fill ``chosen`` (n, tracks) with the candidate of the highest Ω, the first of equals; −1 where not selected."""
    n, tracks = shares.shape
    room = most_of_one(spans)
    place, leading = np.empty(room, np.int32), np.empty(room, np.int32)
    own, pre, omega = np.empty(room), np.zeros(room), np.empty(room)
    alpha_cur, alpha_pre, gains = np.empty(tracks), np.empty(tracks), gain(weights, counts)
    for t in range(tracks):
        alpha_cur[t], alpha_pre[t] = weights[t, 0], weights[t, 1]
    winner, highest = np.zeros(tracks, np.int64), np.empty(tracks)
    for i in range(n):
        start, stop = spans[i, 0], spans[i, 1]
        if stop - start == 1:
            for t in range(tracks):
                chosen[i, t] = index[start] if shares[i, t] > 0 else -1
            continue
        m = gather_exact(index[start:stop], current[start:stop], support, known, place, own, pre)
        if tracks > 1:
            m = drop_beaten(m, popular, place, own, pre)
        alike = -1  # the last track that had to be looked at
        for t in range(tracks):
            if shares[i, t] == 0:
                continue
            if alike < 0 or differ(weights, gains, alike, t):
                winner[t] = find_winner(m, own, pre, alpha_cur[t], alpha_pre[t], gains[0, t], omega)
                highest[t] = omega[winner[t]]
                alike = t
            else:
                winner[t], highest[t] = winner[alike], highest[alike]
        leading_size = list_popular(m, place, popular, leading) if len(counts) > 0 else 0
        for j in leading[:leading_size]:
            contend(j, own[j], pre[j], gains[popular[place[j]]], alpha_cur, alpha_pre, winner, highest)
        for t in range(tracks):
            if shares[i, t] == 0:
                chosen[i, t] = -1
                continue
            if highest[t] < 0 and leading_size > 0:  # below 0, successors lower a candidate: look at all once more
                highest[t] = -np.inf
                for j in range(m):
                    value = evaluate(gains[popular[place[j]], t], alpha_cur[t], own[j], alpha_pre[t], pre[j])
                    if value > highest[t]:
                        winner[t], highest[t] = j, value
            chosen[i, t] = place[winner[t]]


@njit(cache=True, nogil=True)
def most_of_one(spans):  # type: ignore[no-untyped-def]
    """How many candidates the neuron with the most has."""
    most = np.int64(0)
    for i in range(len(spans)):
        most = max(most, spans[i, 1] - spans[i, 0])
    return most


@njit(cache=True, nogil=True)
def contend(j, own, pre, gains, alpha_cur, alpha_pre, winner, highest):  # type: ignore[no-untyped-def]
    """Let a candidate win the tracks in which its Ω is higher, or as high where it comes first."""
    for t in range(winner.size):
        omega = evaluate(gains[t], alpha_cur[t], own, alpha_pre[t], pre)
        better = omega > highest[t] or (omega == highest[t] and j < winner[t])
        winner[t] = j if better else winner[t]
        highest[t] = omega if better else highest[t]


@njit(cache=True, nogil=True)
def gather_exact(index, current, support, known, place, own, pre):  # type: ignore[no-untyped-def]
    """Put the candidates side by side that no bound excludes, with Z_cur and Z_pre; returns how many they are.

    Without any support, all are taken, and Z_pre is left as it is.
    """
    if support.size == 0:
        for j in range(index.size):
            place[j], own[j] = index[j], current[j]
        return index.size
    m = 0
    for j in range(index.size):
        place[m], own[m], pre[m] = index[j], current[j], support[index[j]]
        m += known[index[j]] == EXACT
    return m


@njit(cache=True, nogil=True)
def drop_beaten(m, popular, place, own, pre):  # type: ignore[no-untyped-def]
    """Keep of the first m candidates those that may win under some weights; returns how many they are.

    Another one beats those that are neither popular nor ahead of it in Z_cur or in Z_pre. The first of all stays, for
    it wins where every Ω is 0.
    """
    strongest, supported = find_highest(own, m), find_highest(pre, m)
    least_own, least_pre = own[supported], pre[strongest]
    if least_pre < 0:  # Ω may be below 0 then, and the popular ones not the better for it
        return m
    kept = 1
    for j in range(1, m):
        ahead = (own[j] > least_own and pre[j] > least_pre) or j == strongest or j == supported
        keep = ahead or popular[place[j]] > 0
        place[kept], own[kept], pre[kept] = place[j], own[j], pre[j]
        kept += keep
    return kept


@njit(cache=True, nogil=True)
def list_popular(m, place, popular, found):  # type: ignore[no-untyped-def]
    """Fill ``found`` with the numbers of the popular ones of the first m candidates; returns how many they are."""
    size = 0
    for j in range(m):
        found[size] = j
        size += popular[place[j]] > 0
    return size


@njit(cache=True, nogil=True)
def differ(weights, gains, first, second):  # type: ignore[no-untyped-def]
    """Whether Ω may differ between two tracks where no candidate is popular."""
    same = weights[first, 0] == weights[second, 0] and weights[first, 1] == weights[second, 1]
    return not (same and gains[0, first] == gains[0, second])


@njit(cache=True, nogil=True, fastmath=EXACTLY)
def find_winner(m, own, pre, alpha_cur, alpha_pre, factor, omega):  # type: ignore[no-untyped-def]
    """Fill in Ω of the first m candidates where none is popular; returns the number of the first of the highest."""
    for j in range(m):
        omega[j] = evaluate(factor, alpha_cur, own[j], alpha_pre, pre[j])
    return find_highest(omega, m)


@njit(cache=True, nogil=True)
def find_highest(values, m):  # type: ignore[no-untyped-def]
    """The number of the first of the highest among the first m values."""
    highest = maximum(values, m)
    j = 0
    while j < m - 1 and values[j] != highest:
        j += 1
    return j


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
    for place in distinct[:found]:
        slot_of[place] = 0
    return distinct[:found], total


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
    return part[:size], of_part[:size]


@njit(cache=True, nogil=True)
def list_distinct(index, slot_of, found):  # type: ignore[no-untyped-def]
    """Candidates that have no slot yet; gives them the slots after ``found`` (stored as slot + 1)."""
    distinct = np.empty(min(index.size, slot_of.size), np.int32)
    fresh = 0
    for place in index:
        if slot_of[place] == 0:
            distinct[fresh] = place
            fresh += 1
            slot_of[place] = found + fresh
    return distinct[:fresh]


@njit(cache=True, nogil=True)
def choose_many(  # type: ignore[no-untyped-def]
    index, current, spans, support, shares, weights, popular, counts, number, mass, by_score, slot_of, total
):
    """Add to ``total`` the shares of the first ``number`` by Ω, of a ``mass`` of Z_cur, or of all positive (both −1).

    A share is divided in proportion to Z_cur, or ``by_score`` to Ω where some Ω is positive.
    """
    n, tracks = shares.shape
    needed = support.size > 0
    gains = gain(weights, counts)
    room = most_of_one(spans)
    omegas, order = np.empty(room, np.float64), np.empty(room, np.int64)
    for i in range(n):
        places, own = index[spans[i, 0] : spans[i, 1]], current[spans[i, 0] : spans[i, 1]]
        m = places.size
        every = number < 0 and mass < 0
        evidence = 0.0
        for j in range(m):
            evidence += own[j]
        if every and evidence <= 0:
            continue
        if m == 1 or (every and not by_score):
            for j in range(m):
                part = 1.0 if m == 1 else own[j] / evidence
                slot = slot_of[places[j]] - 1
                for t in range(tracks):
                    if shares[i, t] > 0:
                        total[slot, t] += max(shares[i, t] * part, TINY)
            continue
        boosted = False
        for j in range(m):
            boosted |= popular[places[j]] > 0
        taken = 0
        held, score = 0.0, 0.0
        for t in range(tracks):
            if shares[i, t] == 0:
                continue
            same = False
            if t > 0 and shares[i, t - 1] > 0 and not boosted:
                same = not differ(weights, gains, t - 1, t)
            if not same:
                for j in range(m):
                    pre = support[places[j]] if needed else 0.0
                    omegas[j] = evaluate(gains[popular[places[j]], t], weights[t, 0], own[j], weights[t, 1], pre)
                if every:
                    for j in range(m):
                        order[j] = j
                    taken, held = m, evidence
                else:
                    taken, held = bring_best_first(omegas, order, own, m, number, mass * evidence)
                score = 0.0
                if by_score:
                    for place in range(taken):
                        score += max(omegas[order[place]], 0.0)
            for place in range(taken):
                j = order[place]
                part = max(omegas[j], 0.0) / score if score > 0 else own[j] / held
                total[slot_of[places[j]] - 1, t] += max(shares[i, t] * part, TINY)


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
