"""What an explanation that needs no network scores, such as the whole image's box, on the very images that an arm saw.

Arms with different numbers of pulls have seen different images, so their means are not directly comparable; each is
with the baseline on its own images. The n pulls of an arm are on the first n usable images of the permutation, so one
bit an image, stored with the job, gives that baseline for every arm without looking at a pull.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.spec.reward import Reward


def make_baseline(values: NDArray[np.float64], reward: Reward) -> dict[str, Any]:
    """What a job stores of what needs no network (:attr:`tuner.spec.reward.Reward.trivial`).

    Args:
        values: Its value on each sampled image, in the order of the permutation, shape (images,).
        reward: When a score is a success.

    Returns:
        ``mean`` (share of successes), ``mean_iou`` (or of another reward), and ``successes``: a bit an image in
        hexadecimal, the first image's the highest of the first byte.
    """
    hits = np.array([reward.succeeds(value) for value in values.tolist()], dtype=bool)
    return {
        "mean": float(hits.mean()),
        f"mean_{reward.name}": float(values.mean()),
        "successes": np.packbits(hits).tobytes().hex(),
    }


def success_counts(baseline: Mapping[str, Any], images: int, quarantined: Iterable[int]) -> NDArray[np.int64] | None:
    """Successes of the baseline on the first n usable images, for every n from 0.

    Args:
        baseline: As :func:`make_baseline` gave it.
        images: How many were sampled.
        quarantined: Positions in the permutation of those that are left out.

    Returns:
        int64 of shape (usable images + 1,); None for a job stored before ``successes`` was.
    """
    if "successes" not in baseline:
        return None
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(baseline["successes"]), np.uint8), count=images)
    return np.concatenate([[0], np.cumsum(np.delete(bits, list(quarantined)), dtype=np.int64)])
