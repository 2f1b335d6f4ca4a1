"""What the queries return: frozen rows with plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.models import Candidate, JobState, Outcome, Subject, Value


def describe(candidate: Candidate) -> str:
    """What an arm tries, in one line: ``0.3``, ``center``, ``null``, or ``pre=0.2 cut=0.3`` of a combination."""
    if isinstance(candidate, Mapping):
        return " ".join(f"{setting}={describe(value)}" for setting, value in candidate.items())
    if candidate is None:
        return "null"
    return f"{candidate:.12g}" if isinstance(candidate, float) else str(candidate)


@dataclass(frozen=True)
class JobRow:
    """A job. Times are in UTC; ``live`` says whether a controller holds a lease that has not expired.

    ``held_out`` of its images are kept from the bandits; ``checked`` of those have been scored for the check.
    """

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
    held_out: int
    checked: int
    quarantined: int
    pulls: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    spec: Mapping[str, Any]
    dataset_sha256: str | None
    pixels_sha256: str | None
    checkpoint_sha256: str | None
    parameters_sha256: str | None
    code_sha256: str | None
    versions: Mapping[str, str]
    baseline: Mapping[str, Any]

    @property
    def tuned_on(self) -> int:
        """How many images the bandits may see: the first of the permutation."""
        return self.images - self.held_out


@dataclass(frozen=True)
class BanditRow:
    """A bandit and how it came out; ``may_be_best`` holds the candidates of the arms that may be best.

    ``winner_rank`` is None before the bandit ends. ``winner`` is the candidate of the arm of that rank; it may itself
    be None, where the network's own ``input`` won.
    """

    id: int
    round: int
    setting: str
    base: Mapping[str, Value]
    outcome: Outcome | None
    winner_rank: int | None
    winner: Candidate
    confidence: float | None
    may_be_best: tuple[Candidate, ...]
    pulls: int
    successes: int


@dataclass(frozen=True)
class ArmRow:
    """An arm with the counters of its pulls."""

    id: int
    bandit_id: int
    round: int
    setting: str
    rank: int
    candidate: Candidate
    pulls: int
    successes: int
    value_sum: float
    may_be_best: bool | None

    @property
    def mean(self) -> float | None:
        """The share of its pulls that succeeded; None before its first pull."""
        return self.successes / self.pulls if self.pulls else None

    @property
    def mean_value(self) -> float | None:
        """The mean value that its pulls read, to the 8 digits that ``value_sum`` holds; None before its first pull."""
        return round(self.value_sum / self.pulls, 8) if self.pulls else None


@dataclass(frozen=True)
class PullRow:
    """A pull: the ``t``-th of its bandit (from 1), with the score that it read."""

    bandit_id: int
    round: int
    setting: str
    t: int
    arm_id: int
    candidate: Candidate
    image_id: int
    image: str
    image_rank: int
    value: float
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
class ImageScoreRow:
    """What an arm scored on an image, and which pull of its bandit read that: ``t`` is None where none did yet."""

    arm_id: int
    round: int
    setting: str
    candidate: Candidate
    value: float
    success: bool
    t: int | None
    at: datetime | None


@dataclass(frozen=True)
class EventRow:
    """Something that happened to a job."""

    id: int
    at: datetime
    kind: str
    message: str


@dataclass(frozen=True)
class StretchRow:
    """On how many images of a stretch of the permutation, counted from 0, an arm succeeds."""

    arm_id: int
    stretch: int
    successes: int


@dataclass(frozen=True, eq=False)
class ScoreMatrix:
    """The scores of a job's arms.

    Args:
        arms: The columns.
        images: The rows: the images that bandits may see, in the order of the permutation.
        values: float64 of shape (images, arms); NaN where a score is not known.
    """

    arms: tuple[ArmRow, ...]
    images: tuple[ImageRow, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CheckMatrix:
    """What a job's check came to.

    Args:
        subjects: The columns: what was judged on the images.
        images: The rows: the images kept from the bandits, in the order of the permutation.
        values: float64 of shape (images, subjects); NaN where it is not known.
    """

    subjects: tuple[Subject, ...]
    images: tuple[ImageRow, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Verification:
    """What was recomputed, and one line for each thing that does not agree."""

    arms: int
    images: int
    scores: int
    pulls: int
    checks: int
    problems: tuple[str, ...]
