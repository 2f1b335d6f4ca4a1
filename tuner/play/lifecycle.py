"""A job from its configuration to its end: checked, stored, played, concluded.

:func:`run` and :func:`resume` do all of it, given a job file or a name, and the URL of a database. A program that holds
the database open takes the steps one by one: :func:`check` (of :func:`stored_spec` where the job is stored), then
:func:`create` where the job is new, then :func:`play`. Only the checks load a network: to play needs no torch.
"""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage import creation, queries
from storage.creation import NewJob
from storage.engine import Database
from storage.errors import JobExistsError, StaleLeaseError, StorageError
from storage.models import Outcome
from storage.rows import describe
from tracer import Settings
from tuner.baseline import make_baseline
from tuner.datasets import Dataset
from tuner.errors import ChangedError, JobError
from tuner.play.check import CheckRound
from tuner.play.controller import Controller, Progress
from tuner.play.journal import Journal, take_lease
from tuner.play.plan import Plan, load_images
from tuner.play.search import make_round, new_bandits
from tuner.play.winners import learned, winners
from tuner.rewards.judge import trivial_value
from tuner.spec.job import JobSpec, load_job, stored_job
from tuner.spec.reward import Reward
from tuner.workers.pool import Pool

logger = logging.getLogger(__name__)

PACKAGES = ("bandit-tracer", "torch", "torchvision", "numpy", "optuna", "ray")


def run(
    job: JobSpec | str | Path,
    storage: str,
    *,
    make_pool: Callable[[], Pool] | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Check a job, store it and play it to its end with workers on Ray.

    Args:
        job: The job, or its file.
        storage: URL of the database, as ``sqlite:///runs/tuner.db``; made where there is none.
        make_pool: Starts the workers; on Ray without it.
        stop: Whether the user wants to stop.
        report: Told where the job stands.

    Returns:
        How it ended; ``stopped`` where :func:`resume` goes on with it.

    Raises:
        SpecError: If the file says what no job can be.
        TunerError, TracerError, StorageError: As :func:`check`, :func:`create` and :func:`play`.
    """
    spec = job if isinstance(job, JobSpec) else load_job(job)
    plan = check(spec, ray=make_pool is None)
    with Database.open(storage, create=True) as database:
        create(database, plan)
        return play(database, plan, make_pool, stop=stop, report=report)


def resume(
    name: str,
    storage: str,
    *,
    make_pool: Callable[[], Pool] | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Go on with a job that was stopped, failed or whose process died, from the database alone.

    Args:
        name: The job's.
        storage: URL of the database.
        make_pool: Starts the workers; on Ray without it.
        stop: Whether the user wants to stop.
        report: Told where the job stands.

    Raises:
        UnknownJobError: If there is no such job.
        TunerError, TracerError, StorageError: As :func:`stored_spec`, :func:`check` and :func:`play`.
    """
    with Database.open(storage) as database:
        plan = check(stored_spec(database, name), ray=make_pool is None)
        return play(database, plan, make_pool, stop=stop, report=report)


def check(spec: JobSpec, *, ray: bool = True) -> Plan:
    """Check everything a job needs (:func:`tuner.play.prepare.prepare`): first the images, the rest while Ray starts.

    The rest is in a thread of its own, for what Ray starts ends with the thread that it is started from. A cluster's
    Ray runs already, and to connect to it takes the working directory away for a moment: there, nothing is beside it.

    Args:
        spec: The job.
        ray: Whether its workers will be on Ray.

    Raises:
        TunerError, TracerError: As :func:`tuner.play.prepare.prepare`.
    """
    dataset = load_images(spec)

    def check_rest() -> Plan:
        from tuner.play.prepare import prepare

        return prepare(spec, dataset)

    if not ray or os.environ.get("RAY_ADDRESS"):
        return check_rest()
    with ThreadPoolExecutor(1) as thread:
        checked = thread.submit(check_rest)
        from tuner.workers.actors import start_ray

        try:
            start_ray(spec)
        finally:  # what is wrong with the job comes before what is wrong with Ray
            plan = checked.result()
    return plan


def stored_spec(database: Database, name: str) -> JobSpec:
    """A stored job that is to go on.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If the job is finished.
    """
    with database.reading() as session:
        job = queries.job(session, name)
    if job.state == "finished":
        raise JobError(f"job {name!r} is finished; see `tuner arms {name}`")
    return stored_job(name, job.spec)


def create(database: Database, plan: Plan) -> None:
    """Store a new job.

    Raises:
        JobError: If the name is taken.
    """
    spec = plan.spec
    trivial = _trivial_values(spec.reward, plan.dataset, plan.images[: plan.tuned_on])
    job = NewJob(
        name=spec.name,
        spec=spec.canonical(),
        seed=spec.seed,
        threshold=spec.reward.at,
        images=[plan.dataset[image].id for image in plan.images],
        bandits=new_bandits(spec, spec.settings),
        held_out=len(plan.images) - plan.tuned_on,
        dataset_sha256=plan.dataset.sha256,
        pixels_sha256=plan.pixels_sha256,
        checkpoint_sha256=plan.checkpoint_sha256,
        parameters_sha256=plan.identity.parameters_sha256,
        code_sha256=plan.identity.code_sha256,
        versions={package: version(package) for package in PACKAGES},
        baseline={} if trivial is None else make_baseline(trivial, spec.reward),
    )
    try:
        with database.writing() as session:
            creation.create_job(session, job)
    except JobExistsError as error:
        raise JobError(str(error)) from error


def play(
    database: Database,
    plan: Plan,
    make_pool: Callable[[], Pool] | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Run a stored job to its end, from wherever it stands.

    Args:
        database: Where the job is stored.
        plan: The job.
        make_pool: Starts the workers, once the job is this process's; on Ray without it.
        stop: Whether the user wants to stop.
        report: Told where the job stands.

    Returns:
        How it ended; ``stopped`` where it can be resumed.

    Raises:
        ChangedError: If images or network are not those that the job began with.
        StorageError: If another controller runs the job, or the database cannot be written.
        WorkerError: If workers cannot start.
    """
    name = plan.spec.name
    _check_same(database, plan)
    lease = take_lease(database, name)
    journal = Journal(database, name, lease)
    try:
        journal.event("run", f"{lease.owner} runs the job")
        pool = make_pool() if make_pool is not None else ray_pool(plan)
        try:
            controller = Controller(journal, pool, plan.images, stop=stop, report=report)
            outcome = _play_rounds(journal, controller, plan)
        finally:
            pool.close()
        journal.event("end", f"the job is {outcome}")
        journal.finish("stopped" if outcome == "stopped" else "finished", outcome)
    except StaleLeaseError:
        raise
    except Exception as error:
        _give_up(journal, error)
        raise
    return outcome


def _play_rounds(journal: Journal, controller: Controller, plan: Plan) -> Outcome:
    spec, base = plan.spec, plan.spec.settings
    for number in range(1, spec.rounds + 1):
        journal.open_round(number, new_bandits(spec, base))
        if not journal.conclusions and not _play_round(journal, controller, plan, number, base):
            return "stopped"
        base = learned(spec.arm_sets(base), [end.winner for end in journal.conclusions], base)
    if not _check(journal, controller, plan, base):
        return "stopped"
    return _worst([end.outcome for end in journal.conclusions])


def _play_round(journal: Journal, controller: Controller, plan: Plan, number: int, base: Settings) -> bool:
    """Play the current round to its end and conclude it; whether it came there."""
    round_ = make_round(plan.spec, number, base, plan.tuned_on)
    journal.restore(number, round_)
    if not controller.play(number, round_):
        return False
    verdicts = round_.verdicts()
    chosen = winners(round_.bandits, verdicts, base)
    for one, end, arm in zip(round_.bandits, verdicts, chosen, strict=True):
        if arm != end.winner:
            next_best = f"{one.setting} takes {describe(one.arms.candidates[arm])}, its next best"
            journal.event("winner", f"cur and pre cannot both be 0: {next_best}")
    journal.conclude(verdicts, chosen)
    return True


def _check(journal: Journal, controller: Controller, plan: Plan, learned: Settings) -> bool:
    """Score what was learned, the base and the baseline on the images that no bandit saw; whether it was done."""
    held_out = plan.images[plan.tuned_on :]
    trivial = _trivial_values(plan.spec.reward, plan.dataset, held_out)
    round_ = CheckRound(plan.spec.settings, learned, len(held_out), trivial, plan.tuned_on)
    journal.restore_check(round_)
    return controller.play(None, round_)


def _trivial_values(reward: Reward, dataset: Dataset, images: Sequence[int]) -> NDArray[np.float64] | None:
    """What the reward gives to what needs no network, an image each; ``None`` where it judges nothing so."""
    if reward.trivial is None:
        return None
    return np.array([trivial_value(reward, dataset[image]) for image in images], dtype=np.float64)


def ray_pool(plan: Plan) -> Pool:
    """Workers on Ray, which is started or connected to."""
    from tuner.workers.actors import RayPool, start_ray

    start_ray(plan.spec)
    return RayPool(plan.spec, plan.dataset, identity=plan.identity)


def _check_same(database: Database, plan: Plan) -> None:
    """Refuse to go on with other images or another network than the job began with."""
    with database.reading() as session:
        job = queries.job(session, plan.spec.name)
    for what, stored, found in (
        ("data set", job.dataset_sha256, plan.dataset.sha256),
        ("set of pixels", job.pixels_sha256, plan.pixels_sha256),
        ("checkpoint", job.checkpoint_sha256, plan.checkpoint_sha256),
        ("set of parameters", job.parameters_sha256, plan.identity.parameters_sha256),
        ("piece of code", job.code_sha256, plan.identity.code_sha256),
    ):
        if stored not in (None, found):  # a job of an earlier version knows less
            raise ChangedError(
                f"job {job.name!r} began with another {what} (sha256 {stored[:12]}, now {str(found)[:12]}): "
                "bring it back, or start a job of another name"
            )


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """A job is as decided as the least decided of its bandits."""
    return max(outcomes, key=("tied", "decided", "epsilon", "exhausted").index)


def _give_up(journal: Journal, error: Exception) -> None:
    """Note why the job failed and let go of it, if the database still takes it."""
    try:
        journal.event("failed", f"{type(error).__name__}: {error}")
        journal.finish("failed", "failed")
    except StorageError:
        logger.warning("the failure could not be stored; the lease ends by itself")
