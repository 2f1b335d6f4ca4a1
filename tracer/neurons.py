"""Sets of neurons of one layer, by track.

A *track* is one setting of the weights α on one image. All tracks of an image are walked together: a neuron that
several tracks have selected is one row here, so that what does not depend on α is computed for it once.

A neuron is named by its place in the *stored* activation: channels last, (row, column, channel), for a map, and the
index itself for a vector. Sorted indices therefore group the channels of one location.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Index = NDArray[np.int32]
Shares = NDArray[np.float64]

TINY = 1e-300
"""The smallest share: a selected neuron's share never underflows to 0, which would unselect it."""


@dataclass(frozen=True)
class Neurons:
    """Selected neurons of one operation.

    Args:
        index: Places in the stored activation, ascending and distinct, shape (n,).
        shares: Each track's share of the class's evidence, shape (n, tracks); 0 where the track has not selected the
            neuron. Over a cut of the graph a track's shares sum to 1, less what neurons lost that chose none.
    """

    index: Index
    shares: Shares


def stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of an activation as it is stored: (height, width, channels) of a map (channels, height, width)."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


class Slots:
    """Zeroed working space, one number a neuron: where in a list each neuron stands, 1-based, during one call.

    Whoever writes to a space sets it back to zero, so that no call has to clear what it does not touch.

    Args:
        size: Number of neurons of the largest operation.
    """

    def __init__(self, size: int) -> None:
        self.first = np.zeros(size, np.int32)
        self.second = np.zeros(size, np.int32)


def union(neurons: Sequence[Neurons], slots: Slots) -> Neurons:
    """The union of sets of one operation's neurons; shares add up where paths meet (Eq. 5).

    Args:
        neurons: The sets, with equal numbers of tracks.
        slots: Working space.
    """
    if len(neurons) == 1:
        return neurons[0]
    index = np.concatenate([part.index for part in neurons])
    return hand_over(index, np.concatenate([part.shares for part in neurons]), slots)


def hand_over(index: Index, shares: Shares, slots: Slots) -> Neurons:
    """The neurons that get the shares of others, where each of those hands all of its shares to one neuron.

    Args:
        index: The neuron that gets them, for each that gives, the same in every track; shape (n,), in any order.
        shares: What each gives, shape (n, tracks). What one neuron gets from several adds up.
        slots: Working space.
    """
    return sort(*_add_up(index, shares, slots.first))


def sort(index: Index, shares: Shares) -> Neurons:
    """A set of neurons, given as distinct places in any order, with the shares of each."""
    order = np.argsort(index)
    return Neurons(index[order], shares[order])


@njit(cache=True, nogil=True)
def _add_up(index, shares, slot_of):  # type: ignore[no-untyped-def]
    """The distinct places, in the order in which they come first, and the sum of the shares at each."""
    distinct = np.empty(index.size, np.int32)
    found = 0
    for place in index:
        if slot_of[place] == 0:
            distinct[found] = place
            found += 1
            slot_of[place] = found
    total = np.zeros((found, shares.shape[1]), np.float64)
    for i in range(index.size):
        row = total[slot_of[index[i]] - 1]
        for t in range(row.size):
            row[t] += shares[i, t]
    for place in distinct[:found]:
        slot_of[place] = 0
    return distinct[:found], total
