"""What was gained by learning, on the images that no bandit saw."""

from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import JobRow
from tuner.paired import bootstrap_interval, exact_interval
from tuner.spec.reward import stored_reward


def summarize_check(session: Session, job: JobRow) -> dict[str, Any]:
    """What a job's check came to, as a weight file keeps it; empty until every image of the check is done.

    Returns:
        ``images``: how many were judged; ``base``, ``learned`` and ``whole_image`` (where the reward judges something
        that needs no network): the share of them on which each succeeds; ``difference``: learned less base, with its
        exact paired 95% ``interval``. ``reward`` names the reward; the key of that name (``iou``, say) holds its
        threshold, and ``mean_iou`` the same figures of its mean value, the interval by a paired bootstrap that the
        job's seed decides. ``success`` and ``trivial`` say in words what a success is, and what ``whole_image`` is.
    """
    reward = stored_reward(job.spec)
    known = queries.checks(session, job.name)
    used = ~np.array([image.quarantined for image in known.images], dtype=bool)
    of = dict(zip(known.subjects, known.values[used].T, strict=True))
    if not job.baseline:
        del of["whole_image"]
    if not used.any() or any(np.isnan(each).any() for each in of.values()):
        return {}
    hits = {subject: (each >= job.threshold).astype(np.float64) for subject, each in of.items()}
    gained, closer = hits["learned"] - hits["base"], of["learned"] - of["base"]
    return {
        "images": int(used.sum()),
        "reward": reward.name,
        reward.name: job.threshold,
        "success": reward.success,
        **({"trivial": reward.trivial} if job.baseline else {}),
        **{subject: float(each.mean()) for subject, each in hits.items()},
        "difference": float(gained.mean()),
        "interval": list(exact_interval(gained)),
        f"mean_{reward.name}": {
            **{subject: float(each.mean()) for subject, each in of.items()},
            "difference": float(closer.mean()),
            "interval": list(bootstrap_interval(closer, np.random.default_rng(job.seed))),
        },
    }
