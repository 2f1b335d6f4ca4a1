"""A job from its configuration to its end: checked, stored, played, concluded."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from PIL import Image

from storage import creation, queries
from storage.creation import NewJob
from storage.engine import Database
from storage.errors import JobExistsError, StaleLeaseError, StorageError
from storage.models import Outcome
from tuner.baseline import make_baseline
from tuner.datasets import Dataset, load_dataset, sample
from tuner.errors import JobError
from tuner.play.controller import Controller, Progress
from tuner.play.journal import Journal, take_lease
from tuner.play.rounds import Pulled, Round
from tuner.play.search import search_of
from tuner.play.winners import learned, winners
from tuner.spec.job import JobSpec
from tuner.workers.pool import Pool
from tuner.workers.scoring import whole_image_iou

logger = logging.getLogger(__name__)

PACKAGES = ("bandit-tracer", "torch", "torchvision", "numpy", "optuna", "ray")


@dataclass(frozen=True)
class Plan:
    """A job that can run: its configuration with the images it samples.

    Args:
        spec: The configuration.
        dataset: The images.
        images: Index of each sampled image, in the order every arm sees them.
        checkpoint_sha256: Hash of the network's parameters, where they come from a file.
    """

    spec: JobSpec
    dataset: Dataset
    images: tuple[int, ...]
    checkpoint_sha256: str | None


def prepare(spec: JobSpec) -> Plan:
    """Check everything a job needs, before anything is written.

    Raises:
        DatasetError: If an image or a box is bad.
        TracerError: If the network is unknown, cannot be traced, or its checkpoint does not fit.
    """
    from tracer import Tracer, load_model

    dataset = load_dataset(spec.dataset, labelled=spec.target == "label")
    model = load_model(spec.architecture, spec.checkpoint)
    grey = model.preprocess(Image.new("RGB", (64, 64), "grey"))
    Tracer(model, spec.tracer).trace(grey[None], [spec.base])
    return make_plan(spec, dataset, model.checkpoint_sha256)


def make_plan(spec: JobSpec, dataset: Dataset, checkpoint_sha256: str | None = None) -> Plan:
    """The plan of a job whose network is known to be good."""
    images = tuple(int(index) for index in sample(dataset, spec.dataset.images, spec.seed))
    return Plan(spec, dataset, images, checkpoint_sha256)


def create(database: Database, plan: Plan) -> None:
    """Store a new job.

    Raises:
        JobError: If the name is taken.
    """
    spec = plan.spec
    ious = np.array([whole_image_iou(plan.dataset, image) for image in plan.images])
    job = NewJob(
        name=spec.name,
        spec=spec.canonical(),
        seed=spec.seed,
        threshold=spec.reward.iou,
        images=[plan.dataset[image].id for image in plan.images],
        weights=search_of(spec).weights(spec.base),
        dataset_sha256=plan.dataset.sha256,
        checkpoint_sha256=plan.checkpoint_sha256,
        versions={package: version(package) for package in PACKAGES},
        baseline=make_baseline(ious, spec.reward.iou),
    )
    try:
        with database.writing() as session:
            creation.create_job(session, job)
    except JobExistsError as error:
        raise JobError(str(error)) from error


def play(
    database: Database,
    plan: Plan,
    make_pool: Callable[[], Pool],
    *,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Run a stored job to its end, from wherever it stands.

    Args:
        database: Where the job is stored.
        plan: The job.
        make_pool: Starts the workers, once the job is this process's.
        stop: Whether the user wants to stop.
        report: Told where the job stands.

    Returns:
        How it ended; ``stopped`` where it can be resumed.

    Raises:
        JobError: If images or network are not those that the job began with.
        StorageError: If another controller runs the job, or the database cannot be written.
        WorkerError: If workers cannot start.
    """
    name = plan.spec.name
    _check_same(database, plan)
    lease = take_lease(database, name)
    journal = Journal(database, name, lease)
    try:
        journal.event("run", f"{lease.owner} runs the job")
        pool = make_pool()
        try:
            controller = Controller(journal, pool, plan.images, stop=stop, report=report)
            outcome = _play_rounds(database, journal, controller, plan.spec)
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


def _play_rounds(database: Database, journal: Journal, controller: Controller, spec: JobSpec) -> Outcome:
    search = search_of(spec)
    base = spec.base
    outcomes: list[Outcome] = []
    for number in range(1, spec.rounds + 1):
        journal.open_round(number, search.weights(base))
        round_ = search.round(number, base, len(journal.images))
        _restore(database, spec.name, number, round_)
        if not controller.play(number, round_):
            return "stopped"
        verdicts = round_.verdicts()
        chosen = winners(round_.contests, verdicts)
        for index, (contest, end, arm) in enumerate(zip(round_.contests, verdicts, chosen, strict=True)):
            if arm != end.winner:
                next_best = f"{contest.name} takes {contest.values[arm]:g}, its next best"
                journal.event("winner", f"cur and pre cannot both be 0: {next_best}")
            journal.conclude(index, end, arm)
        base = learned(round_.contests, chosen)
        outcomes = [end.outcome for end in verdicts]
    return _worst(outcomes)


def _restore(database: Database, name: str, number: int, round_: Round) -> None:
    """Put back what the database knows of a round: scores, quarantined images and pulls."""
    weights = [contest.name for contest in round_.contests]
    with database.reading() as session:
        known = queries.scores(session, name, round=number)
        round_.restore([image.quarantined for image in known.images], known.iou)
        ranks = {arm.id: arm.rank for arm in known.arms}
        after = (0, 0)
        while page := queries.pulls(session, name, round=number, after=after, limit=10_000):
            for pull in page:
                round_.replay(Pulled(weights.index(pull.weight), pull.t, ranks[pull.arm_id], pull.image_rank, pull.iou))
            after = (page[-1].weight_id, page[-1].t)


def _check_same(database: Database, plan: Plan) -> None:
    """Refuse to go on with other images or another network than the job began with."""
    with database.reading() as session:
        job = queries.job(session, plan.spec.name)
    for what, stored, found in (
        ("data set", job.dataset_sha256, plan.dataset.sha256),
        ("checkpoint", job.checkpoint_sha256, plan.checkpoint_sha256),
    ):
        if stored != found:
            raise JobError(
                f"job {job.name!r} began with another {what} (sha256 {str(stored)[:12]}, now {str(found)[:12]}): "
                "bring it back, or start a job of another name"
            )


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """A job is as decided as the least decided of its weights."""
    return max(outcomes, key=("tied", "decided", "epsilon", "exhausted").index)


def _give_up(journal: Journal, error: Exception) -> None:
    """Note why the job failed and let go of it, if the database still takes it."""
    try:
        journal.event("failed", f"{type(error).__name__}: {error}")
        journal.finish("failed", "failed")
    except StorageError:
        logger.warning("the failure could not be stored; the lease ends by itself")
