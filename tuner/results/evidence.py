"""What is known of an arm, in the one shape that tables, weight files, studies and replays show."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, BanditRow, JobRow
from tuner.policies.intervals import interval
from tuner.spec.reward import stored_reward


def evidence(successes: int, pulls: int) -> dict[str, Any]:
    """What the counts of an arm say: ``mean`` is None before its first pull, the interval is the 95% one."""
    low, high = interval(successes, pulls)
    return {
        "pulls": pulls,
        "successes": successes,
        "mean": successes / pulls if pulls else None,
        "low": low,
        "high": high,
    }


def arm_evidence(arm: ArmRow, value_name: str) -> dict[str, Any]:
    """What is known of a stored arm: its counts, the mean of its values, and whether it may be best.

    Args:
        arm: The arm.
        value_name: What the job's reward calls its values (its ``name``): their mean is ``mean_iou``, say.
    """
    known = {f"mean_{value_name}": arm.mean_value, "may_be_best": arm.may_be_best}
    return evidence(arm.successes, arm.pulls) | known


def rewards_apart(first: JobRow, second: JobRow) -> tuple[str, ...]:
    """A note where two jobs are rewarded for different things, so that their values cannot be compared."""
    ours, theirs = (stored_reward(job.spec).name for job in (first, second))
    if ours == theirs:
        return ()
    return (f"the jobs are rewarded for different things: {first.name} for {ours}, {second.name} for {theirs}",)


def tuned_images(session: Session, job: JobRow) -> int:
    """How many images the bandits of a job could pull on: those kept for the check and those left out do not count."""
    left_out = queries.images(session, job.name, quarantined=True, below=job.tuned_on) if job.quarantined else []
    return job.tuned_on - len(left_out)


def tuned_names(session: Session, job: JobRow) -> list[str]:
    """The names of these images, in the order of the permutation."""
    images = queries.images(session, job.name, quarantined=False, below=job.tuned_on)
    return [image.name for image in images]


def claim(bandit: BanditRow, arms: Sequence[ArmRow], images: int) -> str | None:
    """What the confidence of a bandit is about, as a sentence that holds it; ``None`` before it has ended.

    A bandit of a later round holds what the rounds before chose on the same images. Its confidence is that of a base
    which was fixed beforehand, and the sentence says so (``docs/policies.md``, "Rounds").

    Args:
        bandit: The bandit.
        arms: Its arms.
        images: How many images its arms could be pulled on.
    """
    if bandit.confidence is None:
        return None
    if bandit.outcome == "tied":
        return "all arms are equal by construction, so none was pulled"
    some = " that was tried" if any(not arm.pulls for arm in arms) else ""
    counts = {(arm.pulls, arm.successes) for arm in arms}
    if bandit.confidence == 1 and len(arms) > 1 and counts in ({(images, 0)}, {(images, images)}):
        share = "each" if arms[0].successes else "none"
        return f"all {len(arms)} arms succeed on {share} of the {images} images tuned on, which do not tell them apart"
    if bandit.confidence == 1:
        return (
            f"every arm{some} saw all {images} images tuned on, so the best of them on these images is known; "
            "on other images another may be better"
        )
    untried = ", or was not tried" if some else ""
    best, left = f"the best of {len(arms)} arms on the {images} images tuned on", len(bandit.may_be_best)
    found = f"the winner is {best}" if left == 1 else f"{best} is among the {left} that may be best"
    reused = f", had its base been fixed beforehand: round {bandit.round - 1} chose it on the same images"
    return f"confidence {bandit.confidence:g} that {found}{untried}{reused if bandit.round > 1 else ''}"
