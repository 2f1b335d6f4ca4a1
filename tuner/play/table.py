"""The scores a job has so far, by image in the order of its permutation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class ScoreTable:
    """Values of every (image, arm), and how far they reach without a gap.

    Workers answer in any order; what the policies see must not depend on it. So an image counts once all images before
    it are *resolved*: scored or quarantined. The ``n``-th pull of every arm uses the ``n``-th image that counts and is
    not quarantined.

    Args:
        images: How many images the job sampled.
        arms: How many arms it scores, over all bandits.
    """

    def __init__(self, images: int, arms: int) -> None:
        self.values: NDArray[np.float64] = np.full((images, arms), np.nan)
        self.scored: NDArray[np.bool_] = np.zeros(images, dtype=bool)
        """Whether an image was scored, for one arm at least; which ones those are is for the round to know."""
        self.quarantined: NDArray[np.bool_] = np.zeros(images, dtype=bool)
        self.usable: list[int] = []
        """Positions that count, in order."""
        self.frontier = 0
        """The first position that is not resolved."""

    @property
    def images(self) -> int:
        """How many images the job sampled."""
        return len(self.values)

    @property
    def resolved_images(self) -> int:
        """How many images are resolved, also beyond a gap."""
        return int(np.count_nonzero(self.scored | self.quarantined))

    @property
    def complete(self) -> bool:
        """Whether every image is resolved, so that no further one will count."""
        return self.frontier == self.images

    def resolved(self, position: int) -> bool:
        """Whether an image is scored or quarantined."""
        return bool(self.quarantined[position] or self.scored[position])

    def restore(self, quarantined: Sequence[bool], values: NDArray[np.float64]) -> None:
        """Put back what was known: whether each image is left out, and the values, NaN where unknown."""
        self.quarantined[:] = quarantined
        self.values[:] = values
        self.scored[:] = ~np.isnan(values).all(axis=1)

    def advance(self) -> None:
        """Count the images that are resolved without a gap."""
        while not self.complete and self.resolved(self.frontier):
            if not self.quarantined[self.frontier]:
                self.usable.append(self.frontier)
            self.frontier += 1
