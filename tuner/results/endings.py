"""Why a bandit ended, and whether its job learned anything at all, as sentences."""

from collections.abc import Sequence

from storage.rows import BanditRow, JobRow
from tuner.spec.reward import stored_reward


def ending(bandit: BanditRow, budget: int) -> str | None:
    """Whether a bandit ended early or because its budget was spent; ``None`` of one that is at play or never pulled.

    Args:
        bandit: The bandit.
        budget: How many pulls it could make.
    """
    if bandit.outcome is None or not bandit.pulls:
        return None
    spent = f"all {budget:,} pulls of its budget were made"
    made = f"after {bandit.pulls:,} of at most {budget:,} pulls"
    if bandit.outcome == "exhausted":
        if bandit.pulls < budget:
            return f"it ended {made}, before one arm was known to be best"
        return (
            f"it ended because {spent}, before one arm was known to be best; a larger `budget` under `policy`, or more "
            f"images, may tell the {len(bandit.may_be_best)} that may be best apart"
        )
    found = "one arm was known to be best" if bandit.outcome == "decided" else "what may be best was all but equal"
    return f"it ended early, {made}, because {found}" if bandit.pulls < budget else f"{found} when {spent}"


def nothing_succeeded(job: JobRow, bandits: Sequence[BanditRow]) -> str | None:
    """What to do about a finished job none of whose pulls succeeded; ``None`` of any other.

    Args:
        job: The job.
        bandits: Those of all its rounds.
    """
    if job.state != "finished" or not job.pulls or any(bandit.successes for bandit in bandits):
        return None
    reward = stored_reward(job.spec)
    boxes = ", check that the boxes belong to the images" if reward.needs_boxes else ""
    return (
        f"none of the {job.pulls:,} pulls succeeded, so nothing was learned: the winner is only the arm nearest to the "
        f"base. Ask for less (`reward`: a success needs {job.threshold:g}), begin elsewhere (`base`){boxes}, or try "
        "other candidates (`arms`)"
    )
