"""The scores a job has so far, by image in the order of its permutation."""

import numpy as np
from numpy.typing import NDArray


class ScoreTable:
    """IOUs of every (image, arm), and how far they reach without a gap.

    Workers answer in any order; what the policies see must not depend on it. So an image counts once all images before
    it are *resolved*: scored for every arm that may still be pulled, or quarantined. The ``n``-th pull of every arm
    uses the ``n``-th image that counts and is not quarantined.

    Args:
        images: How many images the job sampled.
        arms: How many arms it scores, over all weights.
    """

    def __init__(self, images: int, arms: int) -> None:
        self.ious: NDArray[np.float64] = np.full((images, arms), np.nan)
        self.quarantined: NDArray[np.bool_] = np.zeros(images, dtype=bool)
        self.usable: list[int] = []
        """Positions that count, in order."""
        self.frontier = 0
        """The first position that is not resolved."""

    @property
    def images(self) -> int:
        """How many images the job sampled."""
        return len(self.ious)

    @property
    def complete(self) -> bool:
        """Whether every image is resolved, so that no further one will count."""
        return self.frontier == self.images

    def resolved(self, position: int, needed: NDArray[np.bool_]) -> bool:
        """Whether an image needs no worker any more.

        Args:
            position: Place of the image in the permutation.
            needed: Arms that may still be pulled, bool of shape (arms,).
        """
        return bool(self.quarantined[position] or not np.isnan(self.ious[position, needed]).any())

    def advance(self, needed: NDArray[np.bool_]) -> None:
        """Count the images that are resolved without a gap; ``needed`` may only shrink from call to call."""
        while not self.complete and self.resolved(self.frontier, needed):
            if not self.quarantined[self.frontier]:
                self.usable.append(self.frontier)
            self.frontier += 1
