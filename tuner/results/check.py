"""What was gained by learning, on the images that no bandit saw."""

from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import JobRow
from tuner.paired import bootstrap_interval, exact_interval


def summarize_check(session: Session, job: JobRow) -> dict[str, Any]:
    """What a job's check came to, as a weight file keeps it; empty until every image of the check is done.

    Returns:
        ``images``: how many were boxed; ``base``, ``learned`` and ``whole_image``: the share of them that each boxes
        with at least the IOU that the job asks for (``iou``); ``difference``: learned less base, with its exact paired
        95% ``interval``. ``mean_iou`` holds the same of the mean IOU, its interval by a paired bootstrap that the job's
        seed decides.
    """
    if not job.checked:
        return {}
    known = queries.checks(session, job.name)
    used = ~np.array([image.quarantined for image in known.images], dtype=bool)
    ious = known.iou[used]
    if not len(ious) or np.isnan(ious).any():
        return {}
    of = dict(zip(known.subjects, ious.T, strict=True))
    hits = {subject: (each >= job.threshold).astype(np.float64) for subject, each in of.items()}
    gained, closer = hits["learned"] - hits["base"], of["learned"] - of["base"]
    return {
        "images": len(ious),
        "iou": job.threshold,
        **{subject: float(each.mean()) for subject, each in hits.items()},
        "difference": float(gained.mean()),
        "interval": list(exact_interval(gained)),
        "mean_iou": {
            **{subject: float(each.mean()) for subject, each in of.items()},
            "difference": float(closer.mean()),
            "interval": list(_resampled(closer.tobytes(), job.seed)),
        },
    }


@lru_cache(maxsize=512)
def _resampled(gains: bytes, seed: int) -> tuple[float, float]:
    """The bootstrap's interval of gains; kept, because whoever watches a job asks for the same one again and again."""
    return bootstrap_interval(np.frombuffer(gains), np.random.default_rng(seed))
