"""What is known of an arm, in the one shape that tables, weight files, studies and replays show."""

from typing import Any

from storage.rows import ArmRow
from tuner.policies.intervals import interval


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


def arm_evidence(arm: ArmRow) -> dict[str, Any]:
    """What is known of a stored arm: its counts, its mean IOU, and whether it may be best."""
    return evidence(arm.successes, arm.pulls) | {"mean_iou": arm.mean_iou, "may_be_best": arm.may_be_best}
