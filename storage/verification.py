"""Every counter recomputed from what it counts."""

from collections.abc import Iterator
from typing import Any, get_args

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from storage.lookup import unknown_job
from storage.models import Arm, BanditRecord, Check, Image, Job, Pull, Score, Subject
from storage.rows import Verification, describe

VALUE_TOLERANCE = 2.0**-28
"""Per pull: an arm's sum adds rounded values (see :data:`storage.records.VALUE_STEP`)."""


def verify(session: Session, name: str) -> Verification:
    """What the job's tables say when every counter is recomputed: problems are empty where all agree.

    Checked: each arm's pulls, successes and sum of values; each pull's success against its score and the job's
    threshold; that trials are numbered without a gap; that each pull's arm is of its bandit and its image of its job;
    the numbers of images and of quarantined images; that bandits pulled on no image that was kept from them, and that
    the check scored no other, each for all that it compares. Reads every pull of the job.

    Raises:
        UnknownJobError: If there is no such job.
    """
    job = session.execute(
        select(Job.id, Job.threshold, Job.images, Job.held_out, Job.quarantined, Job.baseline).where(Job.name == name)
    ).one_or_none()
    if job is None:
        raise unknown_job(session, name)
    arms = session.execute(_recounted(job.id, job.threshold)).all()
    problems = [line for arm in arms for line in _arm_problems(arm)]
    trials = session.execute(
        select(
            BanditRecord.setting, BanditRecord.round, func.count(Pull.t).label("pulls"), func.max(Pull.t).label("last")
        )
        .join(Pull, Pull.bandit_id == BanditRecord.id)
        .where(BanditRecord.job_id == job.id)
        .group_by(BanditRecord.id)
    ).all()
    problems += [
        f"{_place(row)}: {row.pulls} pulls are stored, the last is number {row.last}"
        for row in trials
        if row.pulls != row.last
    ]
    images = session.execute(
        select(
            func.count().label("images"), func.coalesce(func.sum(case((Image.quarantined, 1), else_=0)), 0).label("out")
        ).where(Image.job_id == job.id)
    ).one()
    if images.images != job.images:
        problems.append(f"the job counts {job.images} images, {images.images} are stored")
    if images.out != job.quarantined:
        problems.append(f"the job counts {job.quarantined} quarantined images, {images.out} are stored")
    scores = session.execute(
        select(func.count())
        .select_from(Score)
        .join(Arm, Arm.id == Score.arm_id)
        .join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        .where(BanditRecord.job_id == job.id)
    ).scalar_one()
    first = job.images - job.held_out
    seen = session.execute(
        select(func.count(Image.id.distinct()))
        .join(Score, Score.image_id == Image.id)
        .where(Image.job_id == job.id, Image.rank >= first)
    ).scalar_one()
    if seen:
        problems.append(f"bandits were shown {seen} of the {job.held_out} images kept from them")
    checked = session.execute(
        select(Image.name, Image.rank, func.count().label("subjects"))
        .join(Check, Check.image_id == Image.id)
        .where(Image.job_id == job.id)
        .group_by(Image.id)
        .order_by(Image.rank)
    ).all()
    subjects = len(get_args(Subject)) - (not job.baseline)  # without a baseline nothing stands for no network
    problems += [line for image in checked for line in _check_problems(image, first, subjects)]
    return Verification(
        len(arms), images.images, scores, sum(row.pulls for row in trials), len(checked), tuple(problems)
    )


def _recounted(job: int, threshold: float) -> Select[*tuple[Any, ...]]:
    """Each arm of a job: its counters beside what its pulls add up to."""
    foreign = or_(Pull.bandit_id != Arm.bandit_id, Image.job_id != job)
    misjudged = Pull.success != (Score.value >= threshold)
    return (
        select(
            BanditRecord.setting,
            BanditRecord.round,
            Arm.candidate,
            Arm.pulls,
            Arm.successes,
            Arm.value_sum,
            func.count(Pull.t).label("true_pulls"),
            _count(Pull.success).label("true_successes"),
            func.coalesce(func.sum(Score.value), 0.0).label("true_value_sum"),
            _count(foreign).label("foreign"),
            _count(misjudged).label("misjudged"),
        )
        .join(BanditRecord, BanditRecord.id == Arm.bandit_id)
        .outerjoin(Pull, Pull.arm_id == Arm.id)
        .outerjoin(Image, Image.id == Pull.image_id)
        .outerjoin(Score, and_(Score.arm_id == Pull.arm_id, Score.image_id == Pull.image_id))
        .where(BanditRecord.job_id == job)
        .group_by(BanditRecord.id, Arm.id)
        .order_by(BanditRecord.id, Arm.rank)
    )


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _arm_problems(arm: Any) -> Iterator[str]:
    place = f"{_place(arm)} arm {describe(arm.candidate)}"
    if arm.pulls != arm.true_pulls:
        yield f"{place}: counts {arm.pulls} pulls, {arm.true_pulls} are stored"
    if arm.successes != arm.true_successes:
        yield f"{place}: counts {arm.successes} successes, {arm.true_successes} are stored"
    if abs(arm.value_sum - arm.true_value_sum) > (arm.true_pulls + 1) * VALUE_TOLERANCE:
        yield f"{place}: its values add up to {arm.true_value_sum:.6f}, not {arm.value_sum:.6f}"
    if arm.misjudged:
        yield f"{place}: {arm.misjudged} pulls are not judged by the job's threshold"
    if arm.foreign:
        yield f"{place}: {arm.foreign} pulls are of another bandit or on another job's images"


def _check_problems(image: Any, first: int, subjects: int) -> Iterator[str]:
    """What is wrong with the check's scores of an image.

    Args:
        image: The image.
        first: The first position that is kept from the bandits.
        subjects: How many subjects the check compares.
    """
    if image.rank < first:
        yield f"image {image.name}: the bandits see it, yet it was scored for the check"
    if image.subjects != subjects:
        yield f"image {image.name}: the check compares {subjects} subjects, {image.subjects} are stored"


def _place(row: Any) -> str:
    return f"bandit {row.setting} (round {row.round})"
