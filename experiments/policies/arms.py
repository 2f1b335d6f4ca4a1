"""Outcomes of arms on the images of a pool, with the correlation that comes from sharing the images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri


def outcomes(means: Sequence[float], correlation: float, images: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether each arm succeeds on each image, bool of shape (images, K).

    A Gaussian copula: the arms of an image share a part of a normal deviate, and an arm succeeds where its deviate lies
    below the quantile of its mean.

    Args:
        means: Probability of success per arm, in [0, 1].
        correlation: Of the normal deviates of two arms on an image, in [0, 1).
        images: Size of the pool.
        rng: Randomness.
    """
    shared = rng.standard_normal((images, 1))
    own = rng.standard_normal((images, len(means)))
    deviates = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    passed: NDArray[np.bool_] = deviates < ndtri(np.array(means))
    return passed
