"""What the box around the whole image scores, on the very images that an arm saw.

Arms with different numbers of pulls have seen different images, so their means are not directly comparable; each is
with the baseline on its own images. The n pulls of an arm are on the first n usable images of the permutation, so one
bit an image, stored with the job, gives that baseline for every arm without looking at a pull.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.spec.job import RewardSpec


def make_baseline(ious: NDArray[np.float64], reward: RewardSpec) -> dict[str, Any]:
    """What a job stores of the whole image's box.

    Args:
        ious: IOU of that box on each sampled image, in the order of the permutation, shape (images,).
        reward: When a score is a success.

    Returns:
        ``mean`` (share of successes), ``mean_iou``, and ``successes``: a bit an image in hexadecimal, the first image's
        the highest of the first byte.
    """
    hits = np.array([reward.succeeds(iou) for iou in ious.tolist()], dtype=bool)
    return {
        "mean": float(hits.mean()),
        "mean_iou": float(ious.mean()),
        "successes": np.packbits(hits).tobytes().hex(),
    }


def success_counts(baseline: Mapping[str, Any], images: int, quarantined: Iterable[int]) -> NDArray[np.int64] | None:
    """Successes of the whole image's box on the first n usable images, for every n from 0.

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
