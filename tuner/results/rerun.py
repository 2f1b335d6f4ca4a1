"""A policy played again on the scores that a job left behind."""

from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from storage import queries
from tuner.errors import JobError, SpecError
from tuner.policies import make_policy, nearest_first
from tuner.policies.intervals import interval
from tuner.policies.replay import replay as play_again
from tuner.spec.job import stored_job


def replay(
    session: Session,
    name: str,
    policy: str,
    *,
    budget: int | None = None,
    iou: float | None = None,
    seed: int | None = None,
) -> tuple[list[dict[str, Any]], int]:
    """The arms as a policy would have left them, had the job used it.

    Args:
        session: Of ``Database.reading``.
        name: The job's; every arm must have been scored on an image for the image to serve.
        policy: A name in :data:`tuner.policies.POLICIES`; with the job's parameters if it is the job's own.
        budget: Pulls per weight; the job's by default.
        iou: What a success needs; the job's by default.
        seed: The job's by default.

    Returns:
        A row an arm, and how many images were left out because an arm has no score on them.

    Raises:
        UnknownJobError: If there is no such job.
        SpecError: If there is no such policy, or the budget does not reach every arm.
        JobError: If no image has the scores of all arms, or the job was a joint search.
    """
    job = queries.job(session, name)
    spec = stored_job(name, job.spec)
    if spec.policy.joint:
        raise JobError(
            f"job {name!r} searched the joint grid, of which only some triples were scored: "
            "replay a job that tunes each weight by a bandit"
        )
    parameters = spec.policy.parameters if policy == spec.policy.kind else {}
    rows: list[dict[str, Any]] = []
    left_out = 0
    for index, weight in enumerate(queries.weights(session, name)):
        if not weight.pulls:
            continue
        known = queries.scores(session, name, weight=weight.weight, round=weight.round)
        full = known.iou[~np.isnan(known.iou).any(axis=1)]
        if not len(full):
            raise JobError(
                f"job {name!r} has no image with the scores of all arms of {weight.weight}: "
                "replay a job that ran with `scoring: all`"
            )
        left_out = max(left_out, len(known.iou) - job.quarantined - len(full))
        values = [arm.value for arm in known.arms if isinstance(arm.value, float)]
        preference = nearest_first(values, getattr(spec.base, weight.weight))
        try:
            result = play_again(
                make_policy(policy, **parameters),
                full >= (iou or spec.reward.iou),
                budget or spec.policy.budget,
                (spec.seed if seed is None else seed, weight.round, index % 3),
                preference,
            )
        except ValueError as error:
            raise SpecError(f"replay of {name!r}: {error}") from error
        for arm, value in enumerate(values):
            pulls, successes = int(result.pulls[arm]), int(result.successes[arm])
            low, high = interval(successes, pulls)
            rows.append(
                {
                    "round": weight.round,
                    "weight": weight.weight,
                    "value": value,
                    "pulls": pulls,
                    "successes": successes,
                    "mean": successes / pulls if pulls else None,
                    "low": low,
                    "high": high,
                    "may_be_best": arm in result.verdict.may_be_best,
                    "outcome": result.verdict.outcome,
                }
            )
    return rows, left_out
