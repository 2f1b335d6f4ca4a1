"""What the API answers with. :mod:`tuner.client` reads the same types."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from storage.models import Candidate
from storage.rows import describe
from tracer.printable import printable
from tuner.results.cells import between, points

_NEXT = "Address of the next page; null on the last one."


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(frozen=True, json_schema_extra={"examples": [values]})


class Gain(BaseModel):
    """What was gained by learning, on images that no bandit saw; `check` of `tuner status`.

    The threshold of a success stands under the reward's name (`iou`, say), the same of the mean value under `mean_iou`.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    images: int
    reward: str
    base: float = Field(description="Share of the images on which the base settings succeed.")
    learned: float = Field(description="Share of the images on which the learned settings succeed.")
    whole_image: float | None = Field(
        None, description="Share of the images on which what needs no network succeeds, where the reward judges such."
    )
    difference: float = Field(description="Learned less base.")
    interval: tuple[float, float] = Field(description="Exact paired 95% interval of the difference.")


class Leading(BaseModel):
    """The leading arm of a bandit."""

    model_config = _example(round=1, setting="pre", candidate=0.2, mean=0.61, outcome=None, mark="", arms=11, out=0)

    round: int
    setting: str
    candidate: Candidate = Field(
        description="The winner once the bandit ended, else the arm of the highest mean; null before the first pull."
    )
    mean: float | None
    outcome: str | None = Field(description="How the bandit ended; null while it is at play.")
    mark: str = Field(description="Whether the arm is the winner, may be best or is the base, with commas between.")
    arms: int = Field(description="How many arms the bandit has.")
    out: int = Field(description="How many of them are ruled out.")

    @property
    def told(self) -> str:
        """The arm as one cell of a table tells it: ``depth image (winner, base, 71%; 3 of 4 arms are out)``."""
        known = [mark for mark in self.mark.split(", ") if mark in ("winner", "base")]
        if self.outcome is not None and self.mean == 0:
            known = ["nothing succeeded"]
        shown = ", ".join([*known, *([] if self.mean is None else [f"{self.mean:.0%}"])])
        out = f"; {self.out} of {self.arms} arms are out" if self.out else ""
        return f"{self.setting} {printable(describe(self.candidate))} ({shown}{out})"

    @property
    def known(self) -> bool:
        """Whether there is such an arm; its candidate may be null even so, the network's own ``input``."""
        return self.mean is not None or self.outcome is not None


class JobSummary(BaseModel):
    """A job in the list of jobs."""

    model_config = _example(
        name="resnet18-joint", state="running", outcome=None, architecture="resnet18", dataset="imagenet",
        policy="race", reward="iou", images=1000, held_out=330, checked=0, quarantined=0, pulls=1200, budget=9000,
        created="2026-11-24T21:00:00Z", ended=None, leading=[], check=None,
    )  # fmt: skip

    name: str
    state: str = Field(description="pending, running, stopping, stopped, finished, failed or abandoned.")
    outcome: str | None
    architecture: str
    dataset: str
    policy: str
    reward: str = Field(description="What pulls are rewarded for, and what their values are: iou, confidence ...")
    images: int
    held_out: int
    checked: int
    quarantined: int
    pulls: int
    budget: int = Field(description="Pulls that its bandits may make in all.")
    created: datetime
    ended: datetime | None
    leading: list[Leading] = Field(description="Of each bandit of the last round that was begun.")
    check: Gain | None

    @property
    def gained(self) -> str:
        """What was gained on the check as one cell of a table, or how far the check is; empty where a job has none."""
        if self.check is not None:
            return f"{points(self.check.difference)} points ({between(*self.check.interval, points)})"
        if not self.held_out:
            return ""
        if self.state == "finished":
            return f"none of {self.held_out} images could be checked"
        return f"{self.checked} of {self.held_out} images"


class Jobs(BaseModel):
    """A page of jobs, the newest first."""

    model_config = ConfigDict(frozen=True)

    jobs: list[JobSummary]
    next: str | None = Field(description=_NEXT)


class Bandit(BaseModel):
    """Where a bandit of a job stands; the fields of `tuner status`."""

    model_config = _example(
        name="resnet18-joint", state="running", round=1, setting="pre", pulls=400, budget=3000, leading=0.2, mean=0.61,
        outcome=None, winner=None, winner_mean=None, mark="base", arms=11, out=0, may_be_best=[], confidence=None,
        ending=None, claim=None,
    )  # fmt: skip

    name: str
    state: str
    round: int
    setting: str
    pulls: int
    budget: int
    leading: Candidate = Field(description="The candidate of the highest mean; null where mean is.")
    mean: float | None
    outcome: str | None
    winner: Candidate = Field(description="The candidate chosen; null where outcome is.")
    winner_mean: float | None
    mark: str
    arms: int
    out: int
    may_be_best: list[Candidate]
    confidence: float | None
    ending: str | None
    claim: str | None


class Job(JobSummary):
    """A job with its bandits and its configuration."""

    bandits: list[Bandit]
    notes: list[str] = Field(description="What a reader needs beside the numbers.")
    spec: dict[str, Any] = Field(description="The job file, defaults filled in.")


class Arm(BaseModel):
    """An arm; the fields of `tuner arms`."""

    model_config = _example(
        id=7, round=1, setting="pre", candidate=0.2, pulls=120, successes=74, mean=0.617, low=0.49, high=0.73,
        mean_value=0.55, may_be_best=None, baseline=0.45, left_out=None, mark="",
    )  # fmt: skip

    id: int
    round: int
    setting: str
    candidate: Candidate
    pulls: int
    successes: int
    mean: float | None
    low: float
    high: float
    mean_value: float | None = Field(description="The mean of what the job's reward gave its pulls.")
    may_be_best: bool | None
    baseline: float | None = Field(
        description="Success rate of what needs no network (the whole image's box) on the images of this arm."
    )
    left_out: int | None = Field(description="After how many images a race left it out.")
    mark: str = Field(description="winner, may be best, ruled out, base; with commas between.")


class Arms(BaseModel):
    """A page of arms, by round and bandit."""

    model_config = ConfigDict(frozen=True)

    arms: list[Arm]
    notes: list[str]
    next: str | None = Field(description=_NEXT)


class RaceLine(BaseModel):
    """How the mean reward of an arm went over the images."""

    model_config = _example(id=7, candidate=0.2, pulls=120, mean=0.6, may_be_best=None, line=[[1, 1.0], [2, 0.5]])

    id: int
    candidate: Candidate
    pulls: int
    mean: float | None
    may_be_best: bool | None
    line: list[tuple[int, float]] = Field(description="Pairs of a number of images and the mean over so many.")


class Race(BaseModel):
    """How the most promising arms of a bandit went over the images."""

    model_config = ConfigDict(frozen=True)

    setting: str
    round: int
    arms: list[RaceLine]
    notes: list[str]


class Pull(BaseModel):
    """A pull, with the score that it read; the fields of `tuner pulls`."""

    model_config = _example(
        round=1, setting="pre", t=12, arm_id=7, candidate=0.2, image="ILSVRC2012_val_00000003", image_rank=3,
        value=0.71, success=True, at="2026-11-24T21:00:00Z",
    )  # fmt: skip

    round: int
    setting: str
    t: int
    arm_id: int
    candidate: Candidate
    image: str
    image_rank: int
    value: float = Field(description="What the job's reward gave.")
    success: bool
    at: datetime


class Pulls(BaseModel):
    """A page of pulls, the newest first."""

    model_config = ConfigDict(frozen=True)

    pulls: list[Pull]
    next: str | None = Field(description=_NEXT)


class Image(BaseModel):
    """An image that arms of a job were scored on."""

    model_config = _example(
        rank=3, image="ILSVRC2012_val_00000003", arms=11, succeeded=5, lowest=0.1, highest=0.8, disagreement=0.99
    )

    rank: int
    image: str
    arms: int
    succeeded: int
    lowest: float = Field(description="The lowest value of the arms.")
    highest: float
    disagreement: float = Field(description="4·p·(1 − p) of the share p of the arms that succeeded.")


class Images(BaseModel):
    """A page of images, those on which arms disagree most first."""

    model_config = ConfigDict(frozen=True)

    images: list[Image]
    notes: list[str]
    next: str | None = Field(description=_NEXT)


class ImageScore(BaseModel):
    """What an arm scored on an image."""

    model_config = _example(
        arm_id=7, round=1, setting="pre", candidate=0.2, value=0.71, success=True, t=12, at="2026-11-24T21:00:00Z"
    )

    arm_id: int
    round: int
    setting: str
    candidate: Candidate
    value: float = Field(description="What the job's reward gave.")
    success: bool
    t: int | None = Field(description="Which pull of its bandit read the score; null where none did yet.")
    at: datetime | None


class OneImage(BaseModel):
    """An image of a job with what arms scored on it."""

    model_config = ConfigDict(frozen=True)

    rank: int
    image: str
    quarantined: bool
    error: str | None = Field(description="Why it could not be scored, the last time.")
    scores: list[ImageScore]
    next: str | None = Field(description=_NEXT)


class TracedArm(BaseModel):
    """What tracing an image with an arm's settings left."""

    model_config = _example(
        arm_id=7, candidate=0.2, box=[10.0, 20.0, 110.0, 140.0], iou=0.71, explained="tabby", probability=0.83,
        picture="/jobs/resnet18/images/3/picture?arm=7",
    )  # fmt: skip

    arm_id: int
    candidate: Candidate
    box: tuple[float, float, float, float] = Field(description="Half-open x0, y0, x1, y1 in pixels of the image.")
    iou: float | None = Field(description="Of the box with the instance that it overlaps best; null without any.")
    explained: str = Field(description="The class explained.")
    probability: float
    picture: str = Field(description="Address of the picture: the map, the arm's box and those of the ground truth.")


class Traced(BaseModel):
    """An image traced with chosen arms."""

    model_config = ConfigDict(frozen=True)

    rank: int
    image: str
    width: int
    height: int
    truth: list[tuple[float, float, float, float]] = Field(description="Boxes of the instances.")
    arms: list[TracedArm]


class Event(BaseModel):
    """Something that happened to a job."""

    model_config = _example(id=1, at="2026-11-24T21:00:00Z", kind="run", message="lab7 process 4711 runs the job")

    id: int
    at: datetime
    kind: str
    message: str


class Events(BaseModel):
    """A page of events, the newest first."""

    model_config = ConfigDict(frozen=True)

    events: list[Event]
    next: str | None = Field(description=_NEXT)


class PairedArms(BaseModel):
    """An arm of one job and one of another on the images that both were scored on."""

    model_config = _example(
        round=1, setting="pre", candidate=0.2, other_candidate=0.3, images=100, mean=0.5, other_mean=0.6,
        difference=0.1, low=0.02, high=0.17, mean_value_difference=0.04, arm=7, other_arm=19,
    )  # fmt: skip

    round: int
    setting: str
    candidate: Candidate
    other_candidate: Candidate
    images: int
    mean: float
    other_mean: float
    difference: float = Field(description="Second less first.")
    low: float
    high: float
    mean_value_difference: float | None = Field(description="Null where the jobs' rewards are of different kinds.")
    arm: int
    other_arm: int


class Comparison(BaseModel):
    """Two jobs on common images."""

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    pairs: list[PairedArms]
    notes: list[str]


class Started(BaseModel):
    """What steering a job did."""

    model_config = _example(name="resnet18", state="starting", detail="runs here as process 4711")

    name: str
    state: str
    detail: str


class Run(BaseModel):
    """A process that this server started for a job, or the latest attempt at a job on the cluster."""

    model_config = _example(name="resnet18", state="failed", started="2026-11-24T21:00:00Z", detail="no such folder")

    name: str
    state: str = Field(description="running, done, stopped or failed.")
    started: datetime
    detail: str = Field(description="The last line that it wrote, or what the cluster says of it.")


class Runs(BaseModel):
    """What was started lately, the newest first."""

    model_config = ConfigDict(frozen=True)

    runs: list[Run]


class Health(BaseModel):
    """Whether the server is well."""

    model_config = _example(status="ok")

    status: str
