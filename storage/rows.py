"""What the queries return: frozen rows with plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.models import JobState, Outcome, WeightName


class Triple(NamedTuple):
    """The three weights that an arm traces with; as text ``cur/suc/pre``."""

    cur: float
    suc: float
    pre: float

    def __str__(self) -> str:
        return f"{self:g}"

    def __format__(self, form: str) -> str:
        return "/".join(format(weight, form) for weight in self)


Value = float | Triple
"""What an arm tries: a value of its weight, or a triple in a joint search."""


def value_of(value: float | None, cur: float, suc: float, pre: float) -> Value:
    """What an arm tries, from its columns: the triple where it has no value of its own."""
    return Triple(cur, suc, pre) if value is None else value


@dataclass(frozen=True)
class JobRow:
    """A job. Times are in UTC; ``live`` says whether a controller holds a lease that has not expired."""

    id: int
    name: str
    state: JobState
    outcome: Outcome | None
    live: bool
    owner: str | None
    stop_requested: bool
    seed: int
    threshold: float
    images: int
    quarantined: int
    pulls: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    spec: Mapping[str, Any]
    dataset_sha256: str | None
    checkpoint_sha256: str | None
    versions: Mapping[str, str]
    baseline: Mapping[str, Any]


@dataclass(frozen=True)
class WeightRow:
    """A bandit and how it came out; ``may_be_best`` holds the values of the arms that may be best."""

    id: int
    round: int
    weight: WeightName
    outcome: Outcome | None
    winner: Value | None
    confidence: float | None
    may_be_best: tuple[Value, ...]
    pulls: int
    successes: int


@dataclass(frozen=True)
class ArmRow:
    """An arm with the counters of its pulls; ``cur``, ``suc`` and ``pre`` are the triple that it stands for."""

    id: int
    weight_id: int
    round: int
    weight: WeightName
    rank: int
    value: Value
    cur: float
    suc: float
    pre: float
    pulls: int
    successes: int
    iou_sum: float
    may_be_best: bool | None

    @property
    def mean(self) -> float | None:
        """The share of its pulls that succeeded; None before its first pull."""
        return self.successes / self.pulls if self.pulls else None

    @property
    def mean_iou(self) -> float | None:
        """The mean IOU of its pulls, to the 8 digits that ``iou_sum`` holds; None before its first pull."""
        return round(self.iou_sum / self.pulls, 8) if self.pulls else None


@dataclass(frozen=True)
class PullRow:
    """A pull: the ``t``-th of its weight (from 1), with the score that it read."""

    weight_id: int
    round: int
    weight: WeightName
    t: int
    arm_id: int
    value: Value
    image_id: int
    image: str
    image_rank: int
    iou: float
    success: bool
    at: datetime


@dataclass(frozen=True)
class ImageRow:
    """A sampled image; ``rank`` is its position in the seeded permutation, from 0."""

    id: int
    rank: int
    name: str
    failures: int
    quarantined: bool
    error: str | None


@dataclass(frozen=True)
class EventRow:
    """Something that happened to a job."""

    id: int
    at: datetime
    kind: str
    message: str


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """The scores of a job.

    Args:
        arms: The columns.
        images: The rows, in the order of the permutation.
        iou: float64 of shape (images, arms); NaN where a score is not known.
    """

    arms: tuple[ArmRow, ...]
    images: tuple[ImageRow, ...]
    iou: NDArray[np.float64]


@dataclass(frozen=True)
class Verification:
    """What was recomputed, and one line for each thing that does not agree."""

    arms: int
    images: int
    scores: int
    pulls: int
    problems: tuple[str, ...]
