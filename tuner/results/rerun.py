"""A policy played again on the scores that a job left behind."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import BanditRow
from tracer.errors import nearest
from tuner.errors import JobError, SpecError
from tuner.play.search import bandit_seed
from tuner.policies import POLICIES, make_policy
from tuner.policies.replay import replay as play_again
from tuner.results import tables
from tuner.results.evidence import evidence
from tuner.results.order import natural
from tuner.results.table import Row, Table
from tuner.spec.job import stored_job


def replay(
    session: Session,
    name: str,
    policy: str,
    *,
    budget: int | None = None,
    at: float | None = None,
    seed: int | None = None,
) -> Table:
    """The arms as a policy would have left them, had the job used it.

    Args:
        session: Of ``Database.reading``.
        name: The job's; every arm must have been scored on an image for the image to serve.
        policy: A name in :data:`tuner.policies.POLICIES`; with the job's parameters if it is the job's own.
        budget: Pulls per bandit; the job's by default.
        at: The value that a success needs; the job's by default.
        seed: The job's by default.

    Returns:
        A row an arm; its notes say how many images were left out because an arm has no score on them.

    Raises:
        UnknownJobError: If there is no such job.
        SpecError: If there is no such policy, or the budget does not reach every arm.
        JobError: If no image has the scores of all arms.
    """
    job = queries.job(session, name)
    if policy not in POLICIES:
        near, kinds = nearest(policy, POLICIES), ", ".join(POLICIES)
        raise SpecError(f"replay of {name!r}: policy {policy!r} is unknown{near}; choose one of {kinds}")
    spec = stored_job(name, job.spec)
    reward = spec.reward.model_copy(update={"at": at or spec.reward.at})
    parameters = spec.policy.parameters if policy == spec.policy.kind else {}
    rows: list[Row] = []
    left_out = 0
    for bandit, index in _bandits(session, name):
        known = queries.scores(session, name, setting=bandit.setting, round=bandit.round)
        used = known.values[[not image.quarantined for image in known.images]]
        full = used[~np.isnan(used).any(axis=1)]
        if not len(full):
            raise JobError(
                f"job {name!r} has no image with the scores of all arms of {bandit.setting}: "
                "replay a job that ran with `scoring: all`, by a policy that tries every arm"
            )
        left_out = max(left_out, len(used) - len(full))
        arms = next(arms for arms in spec.arm_sets(spec.settings) if arms.setting == bandit.setting)
        try:
            result = play_again(
                make_policy(policy, **parameters),
                np.vectorize(reward.succeeds)(full),
                budget or spec.policy.budget,
                bandit_seed(spec.seed if seed is None else seed, bandit.round, index),
                arms.preference,
            )
        except ValueError as error:
            raise SpecError(f"replay of {name!r}: {error}") from error
        rows += [
            {
                "round": bandit.round,
                "setting": bandit.setting,
                "candidate": arm.candidate,
                **evidence(int(result.successes[rank]), int(result.pulls[rank])),
                "may_be_best": rank in result.verdict.may_be_best,
                "outcome": result.verdict.outcome,
            }
            for rank, arm in sorted(enumerate(known.arms), key=lambda one: natural(one[1].setting, one[1].candidate))
        ]
    notes = [
        f"{policy} chose among the scores that job {name} stored, as if the job had used it; no image was scored anew",
        *([tables.suc_reading(job)] if "suc" in job.spec["arms"] else []),
    ]
    if left_out:
        notes.append(f"{left_out} images without every score were left out")
    return Table(f"{name}: replayed with {policy}", rows, tuple(notes))


def _bandits(session: Session, name: str) -> Iterator[tuple[BanditRow, int]]:
    """The bandits that pulled, each with its place in its round."""
    places: Counter[int] = Counter()
    for bandit in queries.bandits(session, name):
        if bandit.pulls:
            yield bandit, places[bandit.round]
        places[bandit.round] += 1
