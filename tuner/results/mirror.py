"""A job as an Optuna study, for Optuna's own tools: a trial an arm, its mean reward the objective."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, create_trial
from sqlalchemy.orm import Session

from storage import queries
from storage.engine import current, parse_url
from storage.models import Value
from storage.rows import ArmRow, BanditRow, JobRow
from storage.translation import translate_errors
from storage.urls import masked
from tuner.errors import JobError, SpecError
from tuner.results import tables
from tuner.results.evidence import arm_evidence, tuned_images
from tuner.spec.arms import is_number
from tuner.spec.reward import stored_reward

MARK = {"made_by": "tuner mirror"}
"""The attribute of every study written here: a study without it is a user's own, and is never replaced."""


@dataclass(frozen=True)
class MirroredJob:
    """A job as a study.

    Args:
        name: Of both.
        trials: One for each arm that was pulled, by round and bandit, in the order of the candidates.
        attributes: What the study says of the job.
    """

    name: str
    trials: tuple[FrozenTrial, ...]
    attributes: Mapping[str, Any]


def make_study(session: Session, name: str) -> MirroredJob:
    """What a job's study is now.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If nothing was pulled yet.
    """
    job = queries.job(session, name)
    reward = stored_reward(job.spec)
    trials = _trials(queries.arms(session, name), queries.bandits(session, name), reward.name)
    if not trials:
        raise JobError(f"job {name!r} has no pulls to mirror yet; see `tuner status {name}`")
    return MirroredJob(name, trials, _attributes(job, tuned_images(session, job)))


def write(job: MirroredJob, url: str) -> None:
    """Write a study, in place of what it held before; where nothing changed, nothing.

    Optuna commits trial by trial: a study that was interrupted is replaced when it is written again.

    Args:
        job: What the study is to be.
        url: The database of the study, made where there is none; never one of jobs.

    Raises:
        SpecError: If the database is one of jobs, of another version of Optuna, or holds a study of that name which
            was not written here, or trials in it which were not.
        DatabaseError: If the database cannot be written.
    """
    if current(url) is not None:
        raise SpecError(
            f"{masked(parse_url(url))} holds tuning jobs; name a database of the study's own, as sqlite:///optuna.db"
        )
    with _storage(url) as storage:
        if job.name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=job.name, storage=storage)
            if study.user_attrs == job.attributes and _content(study.trials) == _content(job.trials):
                return
            if not _made_here(study):
                raise SpecError(
                    f"{masked(parse_url(url))} holds a study {job.name!r} with trials or settings that `tuner mirror` "
                    "did not write: name another database with --to; the study is left as it is"
                )
            optuna.delete_study(study_name=job.name, storage=storage)
        study = optuna.create_study(study_name=job.name, storage=storage, direction="maximize")
        for key, value in job.attributes.items():
            study.set_user_attr(key, value)
        study.add_trials(job.trials)


def _made_here(study: optuna.Study) -> bool:
    """Whether a study was written by :func:`write`, and nobody added a trial of another kind since."""
    return study.user_attrs.items() >= MARK.items() and all("pulls" in trial.user_attrs for trial in study.trials)


def _trials(arms: Sequence[ArmRow], bandits: Sequence[BanditRow], value_name: str) -> tuple[FrozenTrial, ...]:
    """A trial for each arm that was pulled; its parameters are all settings that the job tunes, as the arm traces."""
    by_id = {bandit.id: bandit for bandit in bandits}
    tried = {arm.id: _tried(arm) for arm in arms}
    tuned = list(dict.fromkeys(name for values in tried.values() for name in values))
    parameters = {arm.id: {**by_id[arm.bandit_id].base, **tried[arm.id]} for arm in arms}
    ranges = {name: _range([values[name] for values in parameters.values() if name in values]) for name in tuned}
    return tuple(
        create_trial(
            value=arm.mean,
            params={name: parameters[arm.id][name] for name in tuned if name in parameters[arm.id]},
            distributions={name: ranges[name] for name in tuned if name in parameters[arm.id]},
            user_attrs={
                "round": arm.round,
                "setting": arm.setting,
                **arm_evidence(arm, value_name),
                "winner": arm.rank == by_id[arm.bandit_id].winner_rank,
            },
        )
        for arm in arms
        if arm.pulls
    )


def _tried(arm: ArmRow) -> Mapping[str, Value]:
    """The value of each setting that an arm sets."""
    return arm.candidate if isinstance(arm.candidate, Mapping) else {arm.setting: arm.candidate}


def _range(values: Sequence[Value]) -> BaseDistribution:
    """Where a parameter lies: between numbers, or among choices."""
    if all(map(is_number, values)):
        numbers = [float(value) for value in values if is_number(value)]
        return FloatDistribution(min(numbers), max(numbers))
    return CategoricalDistribution(list(dict.fromkeys(values)))


def _attributes(job: JobRow, images: int) -> dict[str, Any]:
    return {
        **MARK,  # first: a study that is cut off while it is written can be told from a user's own
        "architecture": job.spec["architecture"],
        "dataset": job.spec["dataset"]["kind"],
        "images": images,
        "policy": job.spec["policy"]["kind"],
        "seed": job.seed,
        "reward": job.spec["reward"]["kind"],
        "threshold": job.threshold,
        "state": tables.standing(job),
        "outcome": job.outcome,
    }


def _content(trials: Sequence[FrozenTrial]) -> list[tuple[Any, ...]]:
    """What a study says, without the times at which it was written."""
    return [(trial.state, trial.value, trial.params, trial.distributions, trial.user_attrs) for trial in trials]


@contextmanager
def _storage(url: str) -> Iterator[RDBStorage]:
    """Optuna's storage at a URL; what goes wrong with the database becomes one of this project's errors."""
    logging.getLogger("optuna").setLevel(logging.WARNING)
    parsed = parse_url(url)
    with translate_errors(parsed):
        try:
            storage = RDBStorage(parsed.render_as_string(hide_password=False))
        except RuntimeError as error:
            raise SpecError(
                f"{masked(parsed)} is of another version of Optuna: name a new one, or `optuna storage upgrade` it"
            ) from error
        try:
            yield storage
        except StorageInternalError as error:
            raise error.__cause__ or error from error
        finally:
            storage.remove_session()
            storage.engine.dispose()
