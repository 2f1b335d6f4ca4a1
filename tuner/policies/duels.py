"""Arms against one another, on the images that both saw."""

from collections import defaultdict

from tuner.policies.intervals import interval


class Duels:
    """Which arms are beaten: for every pair of arms, a test of the images where just one of the two succeeds.

    Arm b is beaten when for some arm a the mixture martingale against "b is at least as good as a" reaches
    (K − 1)/delta. The best arm is beaten with probability at most delta, whenever one looks, however pulls are spread
    over the arms and however strongly arms are correlated; ``docs/policies.md`` proves it, for images drawn without
    replacement from a finite pool too.

    Args:
        arms: K.
        delta: Probability with which the best arm may be beaten, in (0, 0.5].
    """

    def __init__(self, arms: int, delta: float) -> None:
        self._seen: defaultdict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        """By image: the arms that failed on it, and those that succeeded."""
        self._needed = Boundary(max(arms - 1, 1) / delta)
        self.wins = [[0] * arms for _ in range(arms)]
        """``wins[a][b]``: images where a succeeded and b did not."""
        self.beaten = [False] * arms
        """Whether an arm was ever beaten."""

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

    def excess(self, arm: int, other: int, images: int, delta: float) -> float:
        """An upper bound of how much better ``arm`` is than ``other`` on the pool.

        Args:
            arm: The one that may be better.
            other: Compared on the images that both saw.
            images: Size of the pool.
            delta: Probability with which any such bound, of any two arms at any time, may be wrong.
        """
        arms = len(self.wins)
        shared = sum({arm, other} <= {*failed, *succeeded} for failed, succeeded in self._seen.values())
        confidence = 1 - delta / (arms * (arms - 1))
        gains = interval(self.wins[arm][other], shared, images=images, confidence=confidence)
        losses = interval(self.wins[other][arm], shared, images=images, confidence=confidence)
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
