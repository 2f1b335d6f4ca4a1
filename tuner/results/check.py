"""What was gained by learning, on the images that no bandit saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from storage import queries
from storage.models import Subject
from storage.rows import JobRow
from tracer.weights import describe_reward
from tuner.paired import bootstrap_interval, exact_interval
from tuner.results.table import Row, Table
from tuner.spec.reward import IouReward, Reward, stored_reward

LEVELS = (0.3, 0.5, 0.7)
"""IOUs at which a gain is looked at, beside the one that the job asks for."""


@dataclass(frozen=True, eq=False)
class _Checked:
    """The images of a check that is done.

    Args:
        reward: What they were judged by.
        images: Their names.
        values: The value of each subject on each of them, shape (images,); of what needs no network only where the
            reward judges such a thing.
    """

    reward: Reward
    images: tuple[str, ...]
    values: Mapping[Subject, NDArray[np.float64]]

    def hits(self, level: float) -> dict[Subject, NDArray[np.float64]]:
        """1 where a subject's value reaches a level, else 0."""
        return {subject: (each >= level).astype(np.float64) for subject, each in self.values.items()}


def summarize_check(session: Session, job: JobRow) -> dict[str, Any]:
    """What a job's check came to, as a weight file keeps it; empty until every image of the check is done.

    Returns:
        ``images``: how many were judged; ``base``, ``learned`` and ``whole_image`` (where the reward judges something
        that needs no network): the share of them on which each succeeds; ``difference``: learned less base, with its
        exact paired 95% ``interval``. ``reward`` names the reward; the key of that name (``iou``, say) holds its
        threshold, and ``mean_iou`` the same figures of its mean value, the interval by a paired bootstrap that the
        job's seed decides. ``success`` and ``trivial`` say in words what a success is, and what ``whole_image`` is.
    """
    checked = _checked(session, job)
    if checked is None:
        return {}
    reward, hits = checked.reward, checked.hits(job.threshold)
    gained, closer = hits["learned"] - hits["base"], checked.values["learned"] - checked.values["base"]
    return {
        "images": len(checked.images),
        "reward": reward.name,
        reward.name: job.threshold,
        "success": reward.success,
        **({"trivial": reward.trivial} if job.baseline else {}),
        **{subject: float(each.mean()) for subject, each in hits.items()},
        "difference": float(gained.mean()),
        "interval": list(exact_interval(gained)),
        f"mean_{reward.name}": {
            **{subject: float(each.mean()) for subject, each in checked.values.items()},
            "difference": float(closer.mean()),
            "interval": list(_resampled(closer.tobytes(), job.seed)),
        },
    }


def gains(session: Session, job: JobRow, levels: Sequence[float] = LEVELS) -> Table:
    """What was gained at the job's threshold, and if other IOUs were asked for; without rows until the check is done.

    Args:
        session: Of ``Database.reading``.
        job: The job.
        levels: The other IOUs, of a job that is rewarded for IOU; values of other rewards have no such usual levels.

    Returns:
        A row a level, which stands under the reward's name (``iou``, say): the shares of images on which ``base`` and
        ``learned`` succeed, on how many only the learned settings do (``won``) and only the base (``lost``), and the
        ``difference`` of the shares with its exact paired 95% interval (``low``, ``high``).
    """
    reward = stored_reward(job.spec)
    asked = {job.threshold, *(levels if isinstance(reward, IouReward) else ())}
    checked = _checked(session, job)
    rows = [] if checked is None else [_gain(checked, level) for level in sorted(asked)]
    return Table(f"{job.name}: gains by the {describe_reward(reward.name)} that is asked for", rows)


def _gain(checked: _Checked, level: float) -> Row:
    """What was gained where a value of at least ``level`` is asked for."""
    hits = checked.hits(level)
    gained = hits["learned"] - hits["base"]
    low, high = exact_interval(gained)
    return {
        checked.reward.name: level,
        "base": float(hits["base"].mean()),
        "learned": float(hits["learned"].mean()),
        "won": int((gained > 0).sum()),
        "lost": int((gained < 0).sum()),
        "difference": float(gained.mean()),
        "low": low,
        "high": high,
    }


def checked_images(session: Session, job: JobRow) -> Table:
    """The value of each subject on each image of a check that is done, the largest differences first.

    Returns:
        A row an image: ``base``, ``learned`` and, where the check has it, ``whole_image`` are values, ``difference``
        is learned less base.
    """
    checked = _checked(session, job)
    if checked is None:
        return Table(f"{job.name}: images of the check", [])
    rows = [
        {"image": name, **{subject: float(each[place]) for subject, each in checked.values.items()}}
        for place, name in enumerate(checked.images)
    ]
    rows = [row | {"difference": row["learned"] - row["base"]} for row in rows]
    rows.sort(key=lambda row: (-abs(row["difference"]), row["image"]))
    return Table(f"{job.name}: images of the check", rows)


def _checked(session: Session, job: JobRow) -> _Checked | None:
    """The images of a job's check; None until all of them are done."""
    if not job.checked:
        return None
    known = queries.checks(session, job.name)
    used = ~np.array([image.quarantined for image in known.images], dtype=bool)
    values = dict(zip(known.subjects, known.values[used].T, strict=True))
    if not job.baseline:
        del values["whole_image"]
    if not used.any() or any(np.isnan(each).any() for each in values.values()):
        return None
    names = tuple(image.name for image, kept in zip(known.images, used, strict=True) if kept)
    return _Checked(stored_reward(job.spec), names, values)


@lru_cache(maxsize=512)
def _resampled(gains: bytes, seed: int) -> tuple[float, float]:
    """The bootstrap's interval of gains; kept, because whoever watches a job asks for the same one again and again."""
    return bootstrap_interval(np.frombuffer(gains), np.random.default_rng(seed))
