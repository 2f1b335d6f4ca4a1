"""Arms against one another, on the images that both saw."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tuner.policies.intervals import interval

MANY = 100
"""Arms from which on arrays count faster than lists: they do not with a dozen, and do by far with a thousand."""


class Duels(Protocol):
    """Which arms are beaten: for every pair of arms, a test of the images where just one of the two succeeds.

    Arm b is beaten when for some arm a the mixture martingale against "b is at least as good as a" reaches
    (K − 1)/delta. The best arm is beaten with probability at most delta, whenever one looks, however pulls are spread
    over the arms and however strongly arms are correlated; ``docs/policies.md`` proves it, for images drawn without
    replacement from a finite pool too.

    """

    @property
    def beaten(self) -> list[bool]:
        """Whether an arm was ever beaten, K of them."""
        ...

    @property
    def standing(self) -> int:
        """Arms that were never beaten."""
        ...

    @property
    def wins(self) -> Any:
        """``wins[a][b]``: images where a succeeded and b did not."""
        ...

    def record(self, arm: int, image: int, *, success: bool) -> None:
        """Count the outcome of an arm on an image in all duels with the arms that saw the image already."""
        ...

    def outcomes(self) -> Iterator[tuple[int, int, bool]]:
        """Every image, arm and success that was recorded, by image in ascending order."""
        ...

    def shared(self, arm: int, other: int) -> int:
        """Images that both arms saw."""
        ...


def make_duels(arms: int, delta: float) -> Duels:
    """Duels of K arms; however they are counted, they come out the same.

    Args:
        arms: K.
        delta: Probability with which the best arm may be beaten, in (0, 0.5].
    """
    return ArrayDuels(arms, delta) if arms >= MANY else ListDuels(arms, delta)


class ListDuels:
    """Duels of a dozen arms, counted in lists."""

    def __init__(self, arms: int, delta: float) -> None:
        self._seen: defaultdict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        """By image: the arms that failed on it, and those that succeeded."""
        self._needed = Boundary(max(arms - 1, 1) / delta)
        self.wins = [[0] * arms for _ in range(arms)]
        """``wins[a][b]``: images where a succeeded and b did not."""
        self.beaten = [False] * arms
        """Whether an arm was ever beaten."""

    @property
    def standing(self) -> int:
        """Arms that were never beaten."""
        return self.beaten.count(False)

    def record(self, arm: int, image: int, *, success: bool) -> None:
        """Count the outcome of an arm on an image in all duels with the arms that saw the image already."""
        same, opposite = self._seen[image][::-1] if success else self._seen[image]
        same.append(arm)
        for other in opposite:
            winner, loser = (arm, other) if success else (other, arm)
            wins = self.wins[winner]
            wins[loser] += 1
            if wins[loser] >= self._needed(self.wins[loser][winner]):
                self.beaten[loser] = True

    def outcomes(self) -> Iterator[tuple[int, int, bool]]:
        """Every image, arm and success that was recorded, by image in ascending order."""
        for image, (failed, succeeded) in sorted(self._seen.items()):
            yield from ((image, arm, False) for arm in failed)
            yield from ((image, arm, True) for arm in succeeded)

    def shared(self, arm: int, other: int) -> int:
        """Images that both arms saw."""
        return sum({arm, other} <= {*failed, *succeeded} for failed, succeeded in self._seen.values())


class ArrayDuels:
    """Duels of a thousand arms, counted in arrays: K² whole numbers of 4 bytes, and a byte an arm and image."""

    def __init__(self, arms: int, delta: float) -> None:
        self._seen: defaultdict[int, NDArray[np.int8]] = defaultdict(lambda: np.full(arms, _UNSEEN))
        """By image: what each arm did on it."""
        self._boundary = Boundary(max(arms - 1, 1) / delta)
        self._needed = np.array([self._boundary(0)])
        """Wins that beat an arm, by its own wins in that duel."""
        self.wins: NDArray[np.int32] = np.zeros((arms, arms), dtype=np.int32)
        """``wins[a, b]``: images where a succeeded and b did not."""
        self.beaten = [False] * arms
        """Whether an arm was ever beaten."""
        self.standing = arms
        """Arms that were never beaten."""

    def record(self, arm: int, image: int, *, success: bool) -> None:
        """Count the outcome of an arm on an image in all duels with the arms that saw the image already."""
        seen = self._seen[image]
        seen[arm] = _SUCCEEDED if success else _FAILED
        won = self.wins[arm] if success else self.wins[:, arm]
        opposite = seen == (_FAILED if success else _SUCCEEDED)
        won += opposite
        # an arm without a win in the duel needs the fewest wins to be beaten: most duels are far from that
        near = np.flatnonzero((won >= self._needed[0]) & opposite)
        if len(near):
            lost = self.wins[near, arm] if success else self.wins[arm, near]
            for other in near[won[near] >= self._wins_needed(lost)].tolist():
                self._beat(other if success else arm)

    def outcomes(self) -> Iterator[tuple[int, int, bool]]:
        """Every image, arm and success that was recorded, by image in ascending order."""
        for image, seen in sorted(self._seen.items()):
            for arm in np.flatnonzero(seen != _UNSEEN).tolist():
                yield image, arm, bool(seen[arm] == _SUCCEEDED)

    def shared(self, arm: int, other: int) -> int:
        """Images that both arms saw."""
        return sum(bool(seen[arm] != _UNSEEN != seen[other]) for seen in self._seen.values())

    def _wins_needed(self, losses: NDArray[np.int32]) -> NDArray[np.int64]:
        most = int(losses.max())
        if most >= len(self._needed):
            self._needed = np.array([self._boundary(n) for n in range(2 * most + 1)])
        return self._needed[losses]

    def _beat(self, arm: int) -> None:
        self.standing -= not self.beaten[arm]
        self.beaten[arm] = True


_UNSEEN, _FAILED, _SUCCEEDED = np.int8(0), np.int8(1), np.int8(2)


def excess(duels: Duels, arm: int, other: int, images: int, delta: float) -> float:
    """An upper bound of how much better ``arm`` is than ``other`` on the pool.

    Args:
        duels: Those of all arms.
        arm: The one that may be better.
        other: Compared on the images that both saw.
        images: Size of the pool.
        delta: Probability with which any such bound, of any two arms at any time, may be wrong.
    """
    arms = len(duels.beaten)
    shared = duels.shared(arm, other)
    confidence = 1 - delta / (arms * (arms - 1))
    gains = interval(int(duels.wins[arm][other]), shared, images=images, confidence=confidence)
    losses = interval(int(duels.wins[other][arm]), shared, images=images, confidence=confidence)
    return gains.high - losses.low


class Boundary:
    """The fewest wins with which the martingale reaches a level, as a function of the losses.

    With i wins and j losses, n = i + j, and p uniform on (1/2, 1) the martingale is

        M(i, j) = ∫ 2·(2p)^i·(2(1 − p))^j dp over (1/2, 1),    M(0, 0) = 1,

    and integration by parts gives the two recurrences with which the boundary is followed:

        M(i + 1, j) = (2(i + 1)·M(i, j) + 1) / (n + 2),    M(i, j + 1) = (2(j + 1)·M(i, j) − 1) / (n + 2).

    Args:
        level: What M has to reach, at least 2.
    """

    def __init__(self, level: float) -> None:
        self._level = level
        self._wins = [0]
        self._value = 1.0
        self._climb()

    def __call__(self, losses: int) -> int:
        """The fewest wins that beat an arm with so many ``losses`` against it."""
        while len(self._wins) <= losses:
            wins, lost = self._wins[-1], len(self._wins) - 1
            self._value = (2 * (lost + 1) * self._value - 1) / (wins + lost + 2)
            self._wins.append(wins)
            self._climb()
        return self._wins[losses]

    def _climb(self) -> None:
        """Add wins until the martingale reaches the level."""
        lost = len(self._wins) - 1
        while self._value < self._level:
            wins = self._wins[-1]
            self._value = (2 * (wins + 1) * self._value + 1) / (wins + lost + 2)
            self._wins[-1] = wins + 1
