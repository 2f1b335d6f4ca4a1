"""Arms image by image: how their means went over the images, where they disagree, and two jobs on common images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, BanditRow, JobRow, ScoreMatrix, describe
from tuner.paired import exact_interval
from tuner.policies.intervals import interval
from tuner.results.cells import none_differs
from tuner.results.evidence import rewards_apart
from tuner.results.table import Row, Table

CHOSEN = 12
"""Arms that are looked at image by image where nobody chose some."""

IMAGES = 2000
"""Images that are looked at, at most: the first of the permutation. So an answer takes no longer for a larger job."""

POINTS = 100
"""Points of a line, at most."""


def race(session: Session, name: str, setting: str, round_: int, top: int = CHOSEN) -> Table:
    """How the mean reward of a bandit's most promising arms went over the images.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Of the bandit, or ``joint``.
        round_: Of the bandit, from 1.
        top: How many arms.

    Returns:
        A row an arm, the most promising first; ``line`` holds pairs of a number of images and the mean over so many.

    Raises:
        UnknownJobError: If there is no such job.
    """
    job = queries.job(session, name)
    arms = most_promising(queries.arms(session, name, setting=setting, round=round_), top)
    went = lines(session, job, arms)
    rows = [
        {
            "id": arm.id,
            "candidate": arm.candidate,
            "pulls": arm.pulls,
            "mean": arm.mean,
            "may_be_best": arm.may_be_best,
            "line": went[arm.id],
        }
        for arm in arms
        if arm.id in went
    ]
    return Table(f"{name}: {setting} over the images", rows, _bound(job), ("id",))


def lines(session: Session, job: JobRow, arms: Sequence[ArmRow]) -> dict[int, list[tuple[int, float]]]:
    """How the mean reward of arms went over the images that they were pulled on, by the arms' ids.

    The n-th pull of an arm is on the n-th image in use; so its line ends there, though later scores may be known.

    Args:
        session: Of ``Database.reading``.
        job: The job.
        arms: Some of its arms. One that has not been pulled has no line.

    Returns:
        Up to :data:`POINTS` pairs of a number of images and the mean over so many, on the first :data:`IMAGES` images.
    """
    first = min(IMAGES, job.tuned_on)
    out = queries.images(session, job.name, quarantined=True, below=first) if job.quarantined else []
    lost = queries.pulls_on(session, [arm.id for arm in arms], [image.id for image in out]) if out else {}
    used = np.delete(np.arange(first), [image.rank for image in out])
    seen = {arm.id: used[: arm.pulls - lost.get(arm.id, 0)] for arm in arms}
    ends = {arm: int(ranks[-1]) + 1 for arm, ranks in seen.items() if len(ranks)}
    successes = {arm: np.zeros(POINTS, dtype=np.int64) for arm in ends}
    for row in queries.stretches(session, job.name, ends, job.threshold, POINTS):
        successes[row.arm_id][row.stretch] = row.successes
    return {arm: _line(np.bincount(seen[arm] * POINTS // end), successes[arm]) for arm, end in ends.items()}


def _line(images: NDArray[np.intp], successes: NDArray[np.int64]) -> list[tuple[int, float]]:
    """The mean after each stretch that has images."""
    reached = np.cumsum(images)
    means = np.cumsum(successes)[: len(images)] / np.maximum(reached, 1)
    return [(int(reached[i]), float(means[i])) for i in np.flatnonzero(images).tolist()]


def most_promising(arms: Sequence[ArmRow], top: int) -> list[ArmRow]:
    """The most promising arms of those pulled: what may be best first, then by the lower end of the interval."""
    pulled = [arm for arm in arms if arm.pulls]
    return sorted(pulled, key=lambda arm: (not arm.may_be_best, -interval(arm.successes, arm.pulls)[0]))[:top]


def disagreements(session: Session, name: str, arms: Sequence[int] = ()) -> Table:
    """The images that bandits saw, those on which arms disagree most first.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        arms: Ids of the arms; without them the most promising ones, alike many of each bandit of the last round.

    Returns:
        A row an image that two arms or more were scored on: ``arms`` scored, how many of them ``succeeded``, the
        ``lowest`` and ``highest`` value, and ``disagreement``: 4·p·(1 − p) of the share p that succeeded, so 1 where
        half of them did and 0 where all agree. Equals stand in the order of their range of values.

    Raises:
        UnknownJobError: If there is no such job.
    """
    job = queries.job(session, name)
    known = queries.scores(session, name, only=arms or _promising_of_all(session, name), first=IMAGES)
    seen = ~np.isnan(known.values)
    scored, succeeded = seen.sum(axis=1), (known.values >= job.threshold).sum(axis=1)
    share = succeeded / np.maximum(scored, 1)
    disagreement = 4 * share * (1 - share)
    lowest = np.where(seen, known.values, np.inf).min(axis=1, initial=np.inf)
    highest = np.where(seen, known.values, -np.inf).max(axis=1, initial=-np.inf)
    order = np.lexsort((lowest - highest, -disagreement))  # stable, so equals stay in the order of the permutation
    rows = [
        {
            "rank": known.images[place].rank,
            "image": known.images[place].name,
            "arms": int(scored[place]),
            "succeeded": int(succeeded[place]),
            "lowest": float(lowest[place]),
            "highest": float(highest[place]),
            "disagreement": float(disagreement[place]),
        }
        for place in order.tolist()
        if scored[place] >= 2
    ]
    return Table(f"{name}: images on which arms disagree", rows, _bound(job))


def compare_images(session: Session, first: str, second: str) -> Table:
    """Two jobs on the images that both scored: their most promising arms, then the arms that both have.

    Args:
        session: Of ``Database.reading``.
        first: Name of a job.
        second: Name of another one.

    Returns:
        A row a pair of arms: how many ``images`` both were scored on, the share of successes of each there, the
        ``difference`` (second minus first) with its exact paired 95% interval, and ``mean_value_difference``, None
        where the jobs are rewarded for different things.

    Raises:
        UnknownJobError: If there is no such job.
    """
    jobs = queries.job(session, first), queries.job(session, second)
    title = f"{first} and {second} on common images"
    if jobs[0].dataset_sha256 != jobs[1].dataset_sha256:
        return Table(title, [], ("the jobs are of different data sets, so there are no common images to pair",))
    pairs = _pairs(session, first, second)
    ours = queries.scores(session, first, only={arm.id for arm, _ in pairs}, first=IMAGES)
    theirs = queries.scores(session, second, only={arm.id for _, arm in pairs}, first=IMAGES)
    places = {image.name: row for row, image in enumerate(theirs.images)}
    common = [(row, places[image.name]) for row, image in enumerate(ours.images) if image.name in places]
    rows = []
    for one, other in pairs:
        left, right = _column(ours, one)[[a for a, _ in common]], _column(theirs, other)[[b for _, b in common]]
        both = ~np.isnan(left) & ~np.isnan(right)
        if both.any():
            rows.append(_paired_row(one, other, left[both], right[both], (jobs[0].threshold, jobs[1].threshold)))
    apart = rewards_apart(*jobs)
    if apart:
        rows = [row | {"mean_value_difference": None} for row in rows]
    alike = sum(none_differs(row["low"], row["high"]) for row in rows)
    notes = (
        f"{len(common)} images are in both jobs; the difference is {second} minus {first}",
        *apart,
        *([f"{alike} of {len(rows)} pairs succeed on the very same images: none differs"] if alike else ()),
    )
    return Table(title, rows, notes + _bound(max(jobs, key=lambda job: job.tuned_on)), ("arm", "other_arm"))


def _pairs(session: Session, first: str, second: str) -> list[tuple[ArmRow, ArmRow]]:
    """Of each bandit that both jobs have the most promising arms beside each other, then those that both pulled."""
    ours, theirs = ({_key(bandit): bandit for bandit in queries.bandits(session, name)} for name in (first, second))
    pairs: dict[tuple[int, int], tuple[ArmRow, ArmRow]] = {}
    bandits = ours.keys() & theirs.keys()
    most = max(2, CHOSEN // max(1, 2 * len(bandits)))
    for round_, setting in bandits:
        left, right = (queries.arms(session, name, setting=setting, round=round_) for name in (first, second))
        same = {describe(arm.candidate): arm for arm in right if arm.pulls}
        best = zip(most_promising(left, 1), most_promising(right, 1), strict=False)
        equal = [(arm, same[describe(arm.candidate)]) for arm in left if arm.pulls and describe(arm.candidate) in same]
        shown = {arm.id for arm in most_promising([arm for arm, _ in equal], most)}
        for one, other in [*best, *(pair for pair in equal if pair[0].id in shown)]:
            pairs[one.id, other.id] = (one, other)
    return sorted(pairs.values(), key=lambda pair: (pair[0].round, pair[0].bandit_id))


def _key(bandit: BanditRow) -> tuple[int, str]:
    return bandit.round, bandit.setting


def _paired_row(
    one: ArmRow,
    other: ArmRow,
    left: NDArray[np.float64],
    right: NDArray[np.float64],
    thresholds: tuple[float, float],
) -> Row:
    hits, other_hits = left >= thresholds[0], right >= thresholds[1]
    gained = other_hits.astype(np.float64) - hits
    low, high = exact_interval(gained)
    return {
        "round": one.round,
        "setting": one.setting,
        "candidate": one.candidate,
        "other_candidate": other.candidate,
        "images": len(left),
        "mean": float(hits.mean()),
        "other_mean": float(other_hits.mean()),
        "difference": float(gained.mean()),
        "low": low,
        "high": high,
        "mean_value_difference": float((right - left).mean()),
        "arm": one.id,
        "other_arm": other.id,
    }


def _column(known: ScoreMatrix, arm: ArmRow) -> NDArray[np.float64]:
    column: NDArray[np.float64] = known.values[:, [each.id for each in known.arms].index(arm.id)]
    return column


def _promising_of_all(session: Session, name: str) -> list[int]:
    arms = queries.arms(session, name)
    last = [arm for arm in arms if arm.round == arms[-1].round]
    bandits = dict.fromkeys(arm.bandit_id for arm in last)
    each = max(2, CHOSEN // len(bandits))
    return [arm.id for bandit in bandits for arm in most_promising([a for a in last if a.bandit_id == bandit], each)]


def _bound(job: JobRow) -> tuple[str, ...]:
    return (f"of {job.tuned_on} images the first {IMAGES} are looked at",) if job.tuned_on > IMAGES else ()
