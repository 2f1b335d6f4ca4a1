"""What was gained by learning, on the images that no bandit saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from storage import queries
from storage.models import Subject
from storage.rows import JobRow
from tuner.paired import bootstrap_interval, exact_interval
from tuner.results.table import Row, Table

LEVELS = (0.3, 0.5, 0.7)
"""IOUs at which a gain is looked at, beside the one that the job asks for."""


@dataclass(frozen=True, eq=False)
class _Checked:
    """The images of a check that is done.

    Args:
        images: Their names.
        ious: The IOU of each subject's box on each of them, shape (images,).
    """

    images: tuple[str, ...]
    ious: Mapping[Subject, NDArray[np.float64]]

    def hits(self, level: float) -> dict[Subject, NDArray[np.float64]]:
        """1 where a subject's IOU reaches a level, else 0."""
        return {subject: (each >= level).astype(np.float64) for subject, each in self.ious.items()}


def summarize_check(session: Session, job: JobRow) -> dict[str, Any]:
    """What a job's check came to, as a weight file keeps it; empty until every image of the check is done.

    Returns:
        ``images``: how many were boxed; ``base``, ``learned`` and ``whole_image``: the share of them that each boxes
        with at least the IOU that the job asks for (``iou``); ``difference``: learned less base, with its exact paired
        95% ``interval``. ``mean_iou`` holds the same of the mean IOU, its interval by a paired bootstrap that the job's
        seed decides.
    """
    checked = _checked(session, job)
    if checked is None:
        return {}
    hits = checked.hits(job.threshold)
    gained, closer = hits["learned"] - hits["base"], checked.ious["learned"] - checked.ious["base"]
    return {
        "images": len(checked.images),
        "iou": job.threshold,
        **{subject: float(each.mean()) for subject, each in hits.items()},
        "difference": float(gained.mean()),
        "interval": list(exact_interval(gained)),
        "mean_iou": {
            **{subject: float(each.mean()) for subject, each in checked.ious.items()},
            "difference": float(closer.mean()),
            "interval": list(bootstrap_interval(closer, np.random.default_rng(job.seed))),
        },
    }


def gains(session: Session, job: JobRow, levels: Sequence[float] = LEVELS) -> Table:
    """What was gained if other IOUs were asked for than the job's; without rows until the check is done.

    Returns:
        A row a level of ``iou``, the job's among them: the shares that ``base`` and ``learned`` box right, how many
        images only the learned settings get right (``won``) and only the base (``lost``), and the ``difference`` of
        the shares with its exact paired 95% interval (``low``, ``high``).
    """
    checked = _checked(session, job)
    rows = [] if checked is None else [_gain(checked, level) for level in sorted({job.threshold, *levels})]
    return Table(f"{job.name}: gains by the IOU that is asked for", rows)


def _gain(checked: _Checked, level: float) -> Row:
    """What was gained where an IOU of at least ``level`` is asked for."""
    hits = checked.hits(level)
    gained = hits["learned"] - hits["base"]
    low, high = exact_interval(gained)
    return {
        "iou": level,
        "base": float(hits["base"].mean()),
        "learned": float(hits["learned"].mean()),
        "won": int((gained > 0).sum()),
        "lost": int((gained < 0).sum()),
        "difference": float(gained.mean()),
        "low": low,
        "high": high,
    }


def checked_images(session: Session, job: JobRow) -> Table:
    """The IOU of each subject's box on each image of a check that is done, the largest differences first.

    Returns:
        A row an image: ``base``, ``learned`` and ``whole_image`` are IOUs, ``difference`` is learned less base.
    """
    checked = _checked(session, job)
    if checked is None:
        return Table(f"{job.name}: images of the check", [])
    rows = [
        {"image": name, **{subject: float(each[place]) for subject, each in checked.ious.items()}}
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
    ious = known.iou[used]
    if not len(ious) or np.isnan(ious).any():
        return None
    names = tuple(image.name for image, kept in zip(known.images, used, strict=True) if kept)
    return _Checked(names, dict(zip(known.subjects, ious.T, strict=True)))
