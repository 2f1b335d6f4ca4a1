"""What a job came to, in words for somebody who reads of it for the first time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.rows import BanditRow, JobRow
from tracer.weights import describe_reward
from tuner.paired import images_needed
from tuner.results.cells import change, none_differs, points
from tuner.results.endings import nothing_succeeded
from tuner.results.table import Row
from tuner.results.tables import standing
from tuner.spec.reward import Reward, stored_reward


@dataclass(frozen=True)
class Verdict:
    """What may be concluded.

    Args:
        headline: In a few words.
        paragraph: What it rests on, with its terms explained.
    """

    headline: str
    paragraph: str


def judge(job: JobRow, bandits: Sequence[BanditRow], check: Mapping[str, Any], *, changed: bool) -> Verdict:
    """The verdict of a job.

    Args:
        job: The job.
        bandits: Those of all its rounds.
        check: What its check came to (:func:`tuner.results.check.summarize_check`); empty where it is not done.
        changed: Whether the settings that were learned differ from those it began with.
    """
    reward = stored_reward(job.spec)
    name = describe_reward(reward.name)
    meaning = (
        f"An explanation succeeds on an image when its {name} is {job.threshold:g} or more; the {name} is "
        f"{reward.meaning}."
    )
    nothing = nothing_succeeded(job, bandits)
    if nothing is not None:
        return Verdict("Nothing succeeded.", f"{nothing[0].upper()}{nothing[1:]}. {meaning}")
    if not check:
        return _unchecked(job, meaning)
    low, high = check["interval"]
    success = reward.success.replace("{share}", _percent(check["learned"]))
    shares = (
        f"On {check['images']} images that the search never saw, the learned settings {success}, and the settings it "
        f"began with {_percent(check['base'])}"
    )
    if "whole_image" in check:
        share = _percent(check["whole_image"])
        meaning += f" For comparison: {reward.trivial}, which explains nothing, succeeds on {share}."
    if not changed:
        return Verdict("The search chose the settings it began with.", f"{shares}. {meaning}")
    if none_differs(low, high):
        alike = f"{shares}: on the very same ones, so that none of these images tells the two apart."
        return Verdict("Base and learned settings do not differ.", " ".join([alike, *_mean(check, reward), meaning]))
    range_ = f"{points(low)} to {points(high)} points"
    gained = f"{shares}: {points(check['difference'])} points, with a 95% interval from {range_}."
    if low > 0:
        headline, sure = (
            "Learning helped.",
            "The whole interval lies above 0, so chance alone does not explain the gain.",
        )
    elif high < 0:
        headline, sure = "Learning did harm.", "The whole interval lies below 0: keep the settings that it began with."
    else:
        headline = "Whether learning helped is open."
        sure = "The interval holds 0, so these images do not tell a gain from chance."
    return Verdict(headline, " ".join([f"{gained} {sure}", *_mean(check, reward), meaning]))


def _mean(check: Mapping[str, Any], reward: Reward) -> Iterator[str]:
    """How the mean of the reward's values changed, where the check knows it."""
    values = check.get(f"mean_{reward.name}")
    if values:
        mean = f"The mean {describe_reward(reward.name)}"
        low, high = values["interval"]
        if none_differs(low, high):
            yield f"{mean} is {values['learned']:.3f} with both: it is the same on each of these images."
            return
        yield (
            f"{mean} went from {values['base']:.3f} to {values['learned']:.3f}: {change(values['difference'])}, with a "
            f"95% interval from {change(low)} to {change(high)}."
        )


def conditions(job: JobRow, bandits: Sequence[BanditRow], check: Mapping[str, Any], gains: Sequence[Row]) -> list[str]:
    """What would change the verdict, a sentence or two each.

    Args:
        job: The job.
        bandits: Those of its last round.
        check: As of :func:`judge`.
        gains: Rows of :func:`tuner.results.check.gains`.
    """
    found = [*_images(check), *_levels(job, gains), *_arms(bandits)]
    if job.quarantined:
        found.append(f"{job.quarantined} images failed and were left out; with them the shares may be others.")
    found.append(
        f"The verdict is about {short(job.spec['architecture'])} and about images drawn as these were. "
        "Another network, or images of another kind, may have other best settings."
    )
    return found


def _unchecked(job: JobRow, meaning: str) -> Verdict:
    if not job.held_out:
        return Verdict(
            "What learning gained is not known.",
            "The job kept no images aside (check: 0), so there are none on which the learned settings can be held "
            f"against those it began with. The arms below are compared on the images that were tuned on. {meaning}",
        )
    if job.state == "finished":
        return Verdict(
            "What learning gained is not known.",
            f"None of the {job.held_out} images that were kept for the comparison could be scored: `tuner logs "
            f"{job.name}` says why. The arms below are compared on the images that were tuned on. {meaning}",
        )
    idle = "" if job.live else f" `tuner resume {job.name}` goes on with it."
    return Verdict(
        f"There is no verdict yet: the job is {standing(job)}.",
        f"{job.checked} of the {job.held_out} images that are kept for the comparison have been looked at, after "
        f"{job.pulls:,} pulls.{idle} The arms below are as they stand. {meaning}",
    )


def _images(check: Mapping[str, Any]) -> Iterator[str]:
    """How many more images would settle what is open, or how far what is settled is from being open."""
    if not check:
        return
    low, high = check["interval"]
    gain = check["difference"]
    if low > 0 or high < 0:
        nearest = low if low > 0 else high
        yield (
            f"More images, if they disagreed: the interval ends {points(abs(nearest), signed=False)} points from 0. "
            "Its width falls with the square root of the number of images."
        )
    elif needed := images_needed(check["images"], gain, low, high):
        yield (
            f"More images: if the difference stayed at {points(gain)} points, about {needed} images kept aside, "
            f"in place of {check['images']}, would make an interval that no longer holds 0."
        )
    elif none_differs(low, high):
        yield f"Images on which base and learned settings differ: none of these {check['images']} is one."
    else:
        yield "More images: as many were won as lost, and more of them would narrow the interval."


def _levels(job: JobRow, gains: Sequence[Row]) -> Iterator[str]:
    """Whether the verdict holds for boxes that must fit better or worse."""
    if len(gains) < 2:  # only IOUs have other levels than the job's own
        return
    found = {row["iou"]: _found(row["low"], row["high"]) for row in gains}
    own = found[job.threshold]
    other = [f"{what} at an IOU of {iou:g}" for iou, what in found.items() if what != own]
    if other:
        here = f"{own} at the job's IOU of {job.threshold:g}"
        yield f"Another demand on the boxes: {here}, but {' and '.join(other)}."
    else:
        tried = ", ".join(f"{iou:g}" for iou in found if iou != job.threshold)
        yield f"Another demand on the boxes would not: the verdict is the same at an IOU of {tried}."


def _found(low: float, high: float) -> str:
    """What the interval of a difference says."""
    if none_differs(low, high):
        return "no image that differs"
    return "a gain" if low > 0 else "a loss" if high < 0 else "open"


def _arms(bandits: Sequence[BanditRow]) -> Iterator[str]:
    """Which bandits did not find a single best arm."""
    for bandit in bandits:
        left = len(bandit.may_be_best)
        if left > 1 and bandit.outcome not in ("tied", None):
            yield (
                f"Another winner of {bandit.setting}: {left} arms may be best on the images tuned on, and ties went to "
                "the one nearest to where the job began. More images would tell them apart, where they differ at all."
            )


def short(path: str) -> str:
    """A file's name without the folder of the machine it lies on; another name as it is."""
    return Path(path).name


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
