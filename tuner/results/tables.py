"""Answers to the questions that the command line, Python and the HTTP service ask: tables with stable field names.

Each function takes a session of :meth:`storage.engine.Database.reading` and returns a :class:`Table`;
``docs/commands.md`` documents every field.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, BanditRow, JobRow, describe
from tracer.errors import nearest
from tracer.weights import describe_check, describe_reward
from tuner.baseline import success_counts
from tuner.errors import MissingError
from tuner.results.check import summarize_check
from tuner.results.endings import ending, nothing_succeeded
from tuner.results.evidence import arm_evidence, claim, rewards_apart, tuned_images
from tuner.results.marks import LEGEND, marks, round_bases
from tuner.results.order import in_order
from tuner.results.table import Row, Table
from tuner.spec.arms import JOINT
from tuner.spec.policy import KINDS
from tuner.spec.reward import stored_reward

READINGS = {
    "excess": "weighs the succeeding layer's support above its default of 1, so 1 is Eq. 1 and 0 ignores that layer",
    "paper": "multiplies every score alike (Eq. 1 to the letter), so it can change no ranking: tied, and not pulled",
}
"""How α_suc is read, by the job's ``successor``; stands wherever α_suc is shown."""


def jobs(session: Session) -> Table:
    """Every job, the newest first."""
    return Table("jobs", [job_row(job) for job in queries.jobs(session)])


def job_row(job: JobRow) -> Row:
    """A job in the table of all jobs."""
    return {
        "name": job.name,
        "state": standing(job),
        "outcome": job.outcome,
        "architecture": job.spec["architecture"],
        "dataset": job.spec["dataset"]["kind"],
        "policy": job.spec["policy"]["kind"],
        "images": job.images,
        "held_out": job.held_out,
        "checked": job.checked,
        "quarantined": job.quarantined,
        "pulls": job.pulls,
        "created": job.created,
        "ended": job.ended,
    }


def status(session: Session, name: str) -> Table:
    """Where each bandit of a job stands, and what was gained on images that none of them saw."""
    job = queries.job(session, name)
    check = summarize_check(session, job) or None
    images = tuned_images(session, job)
    rows = []
    arms = queries.arms(session, name)
    bandits = queries.bandits(session, name)
    bases = round_bases(job, bandits)
    for bandit in bandits:
        own = [arm for arm in arms if arm.bandit_id == bandit.id]
        leading = _leading(own, bandit.winner_rank)
        winner = next((arm for arm in own if arm.rank == bandit.winner_rank), None)
        told_of = winner or leading
        rows.append(
            {
                "name": name,
                "state": standing(job),
                "round": bandit.round,
                "setting": bandit.setting,
                "pulls": bandit.pulls,
                "budget": job.spec["policy"]["budget"],
                "leading": leading.candidate if leading else None,
                "mean": leading.mean if leading else None,
                "outcome": bandit.outcome,
                "winner": bandit.winner,
                "winner_mean": winner.mean if winner else None,
                "mark": ", ".join(marks(bandit, told_of, bases[bandit.round])) if told_of else "",
                "arms": len(own),
                "out": sum(arm.may_be_best is False for arm in own),
                "may_be_best": list(bandit.may_be_best),
                "confidence": bandit.confidence,
                "ending": ending(bandit, job.spec["policy"]["budget"]),
                "claim": claim(bandit, own, images),
                "check": check,
            }
        )
    sentences = tuple(
        f"{row['setting']}: {'; '.join(filter(None, (row['claim'], row['ending'])))}" for row in rows if row["claim"]
    )
    return Table(
        f"{name}: {standing(job)}",
        rows,
        (*remarks(job, bandits), *sentences, *([LEGEND] if sentences else []), *_gain(session, job, check)),
        ("winner_mean", "confidence", "ending", "claim", "check"),
    )


def _leading(arms: Sequence[ArmRow], winner: int | None) -> ArmRow | None:
    """The arm with the highest mean so far, of equal ones that of the winner's rank; ``None`` before the first pull."""
    pulled = [arm for arm in arms if arm.pulls]
    return max(pulled, key=lambda arm: (arm.successes / arm.pulls, arm.rank == winner), default=None)


def arms(
    session: Session, name: str, setting: str | None = None, round_: int | None = None, top: int | None = None
) -> Table:
    """The arms of a job, with the interval of each mean, and the baseline's success on the same images.

    Of a joint search only the combinations that were tried.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        setting: Only the arms of the bandit of this setting (or of ``joint``).
        round_: Only the arms of this round.
        top: Only so many arms of each bandit: those that may be best first, of those the ones whose interval has the
            highest lower end.
    """
    job = queries.job(session, name)
    _check_bandit(session, name, setting, round_)
    shown = arm_rows(session, job, queries.arms(session, name, setting=setting, round=round_))
    notes = (*remarks(job, queries.bandits(session, name)), LEGEND)
    if top is not None:
        bandits = list(dict.fromkeys((row["round"], row["setting"]) for row in shown))
        best = {key: promising([row for row in shown if (row["round"], row["setting"]) == key]) for key in bandits}
        shown = [row for each in best.values() for row in each[:top]]
        notes += tuple(_extent(job, setting, best[number, setting], top) for number, setting in bandits)
    return Table(
        f"{name}: arms ({standing(job)})", shown, notes + _gain(session, job, summarize_check(session, job)), ("id",)
    )


def arm_rows(session: Session, job: JobRow, arms: Sequence[ArmRow]) -> list[Row]:
    """A row an arm of whole bandits, as :func:`arms` shows it; of a joint search only the combinations tried.

    Args:
        session: Of ``Database.reading``.
        job: The job.
        arms: All arms of some of its bandits.
    """
    out = queries.images(session, job.name, quarantined=True, below=job.tuned_on) if job.quarantined else []
    baseline = success_counts(job.baseline, job.tuned_on, [image.rank for image in out])
    value_name = stored_reward(job.spec).name
    seen = _images_seen(arms)
    bandits = queries.bandits(session, job.name)
    own, bases = {bandit.id: bandit for bandit in bandits}, round_bases(job, bandits)
    return [
        _arm(arm, baseline, value_name)
        | {
            "left_out": _left_out(job, arm, seen[arm.bandit_id]),
            "mark": ", ".join(marks(own[arm.bandit_id], arm, bases[arm.round])),
        }
        for arm in in_order(arms)
        if arm.pulls or arm.setting != JOINT
    ]


def promising(rows: Sequence[Row]) -> list[Row]:
    """Rows of the arms of a bandit, the most promising first: what may be best, then by the interval's lower end."""
    return sorted(rows, key=lambda row: (not row["may_be_best"], -row["low"]))


def pulls(session: Session, name: str, setting: str | None = None, round_: int | None = None) -> Iterator[Row]:
    """The pulls of a job, by round, bandit and trial; read page by page as they are taken."""
    value_name = stored_reward(queries.job(session, name).spec).name
    _check_bandit(session, name, setting, round_)
    for pull in queries.all_pulls(session, name, setting=setting, round=round_):
        yield {
            "round": pull.round,
            "setting": pull.setting,
            "t": pull.t,
            "candidate": pull.candidate,
            "image": pull.image,
            value_name: pull.value,
            "success": pull.success,
            "at": pull.at,
        }


def compare(session: Session, first: str, second: str) -> Table:
    """The arms that two jobs have in common, side by side; the difference is second minus first."""
    jobs = [queries.job(session, name) for name in (first, second)]
    value_name, other_value_name = (stored_reward(job.spec).name for job in jobs)
    theirs = {_key(arm): arm for arm in queries.arms(session, second)}
    rows = []
    for ours in in_order(queries.arms(session, first)):
        other = theirs.get(_key(ours))
        if other is None:
            continue
        rows.append(
            {
                "round": ours.round,
                "setting": ours.setting,
                "candidate": ours.candidate,
                "pulls": ours.pulls,
                "mean": ours.mean,
                f"mean_{value_name}": ours.mean_value,
                "other_pulls": other.pulls,
                "other_mean": other.mean,
                f"other_mean_{other_value_name}": other.mean_value,
                "difference": None if ours.mean is None or other.mean is None else other.mean - ours.mean,
            }
        )
    notes = [suc_reading(job) for job in jobs if "suc" in job.spec["arms"]]
    notes += rewards_apart(*jobs)
    differences = [row["difference"] for row in rows if row["difference"] is not None]
    if differences and not any(differences):
        notes.append(f"the jobs do not differ: each of the {len(differences)} arms that both pulled has the same mean")
    if not rows:
        notes.append("no arm in common: compare jobs that tune the same settings (or both search jointly)")
    return Table(f"{first} and {second}", rows, tuple(dict.fromkeys(notes)))


def events(session: Session, name: str, after: int = 0) -> Table:
    """What happened to a job, the oldest first."""
    rows = [
        {"at": event.at, "kind": event.kind, "message": event.message}
        for event in queries.events(session, name, after=after)
    ]
    return Table(f"{name}: events", rows)


def standing(job: JobRow) -> str:
    """A job's state; ``abandoned`` where it should run and its controller has gone."""
    return "abandoned" if job.state in ("running", "stopping") and not job.live else job.state


def suc_reading(job: JobRow) -> str:
    """How the job's α_suc is read, in one line."""
    return f"suc {READINGS[job.spec['tracer']['successor']]}"


def remarks(job: JobRow, bandits: Sequence[BanditRow]) -> tuple[str, ...]:
    """What is to be said below a table of the job's bandits or arms, a line each.

    Args:
        job: The job.
        bandits: Those of all its rounds.
    """
    lines = [suc_reading(job)] if "suc" in job.spec["arms"] else []
    if job.baseline:
        reward = stored_reward(job.spec)
        value = f"mean {describe_reward(reward.name)} {job.baseline[f'mean_{reward.name}']:.3f}"
        figures = f"mean {job.baseline['mean']:.3f}, {value}"
        lines.append(f"{reward.trivial}, on the {job.tuned_on} images tuned on: {figures}")
    if job.quarantined:
        failed = "1 image failed and was" if job.quarantined == 1 else f"{job.quarantined} images failed and were"
        lines.append(f"{failed} left out for every arm: see `tuner logs {job.name}`")
    nothing = nothing_succeeded(job, bandits)
    if nothing is not None:
        lines.append(nothing)
    return tuple(lines)


def _check_bandit(session: Session, name: str, setting: str | None, round_: int | None) -> None:
    """Refuse a setting or a round that a job does not have.

    Raises:
        MissingError: If no bandit of the job is of them; names those that there are.
    """
    bandits = queries.bandits(session, name)
    settings = list(dict.fromkeys(bandit.setting for bandit in bandits))
    if setting is not None and setting not in settings:
        known = ", ".join(settings)
        raise MissingError(f"job {name!r} has no bandit of {setting!r}{nearest(setting, settings)}; it has {known}")
    if round_ is not None and round_ not in {bandit.round for bandit in bandits}:
        raise MissingError(f"job {name!r} has no round {round_}; its last one is {bandits[-1].round}")


def _arm(arm: ArmRow, baseline: NDArray[np.int64] | None, value_name: str) -> Row:
    seen = 0 if baseline is None else min(arm.pulls, len(baseline) - 1)
    return {
        "id": arm.id,
        "round": arm.round,
        "setting": arm.setting,
        "candidate": arm.candidate,
        **arm_evidence(arm, value_name),
        "baseline": int(baseline[seen]) / seen if baseline is not None and seen else None,
    }


def _images_seen(arms: Sequence[ArmRow]) -> dict[int, int]:
    """How many images the arms of each bandit have seen at most."""
    seen: dict[int, int] = {}
    for arm in arms:
        seen[arm.bandit_id] = max(arm.pulls, seen.get(arm.bandit_id, 0))
    return seen


def _left_out(job: JobRow, arm: ArmRow, seen: int) -> int | None:
    """After how many images a race left an arm out; None for an arm that is in, and for other policies.

    A race goes image by image, so the arms that are in it are at most one image apart.
    """
    raced = KINDS[job.spec["policy"]["kind"]].drops
    behind = arm.pulls < (seen - 1 if arm.may_be_best is None else seen)
    return arm.pulls if raced and behind and not arm.may_be_best else None


def _extent(job: JobRow, setting: str, arms: list[Row], top: int) -> str:
    """How many arms of a bandit were tried, shown and may be best."""
    may_be_best = sum(bool(row["may_be_best"]) for row in arms)
    where = f"on the {job.tuned_on} images tuned on"
    return f"{setting}: {may_be_best} of {len(arms)} arms may be best {where}; {min(top, len(arms))} are shown"


def _gain(session: Session, job: JobRow, check: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What was gained by learning in one sentence, or how far the check is; nothing where a job has none."""
    if check:
        return (describe_check(check),)
    if not job.held_out:
        return ()
    kept = f"of the {job.held_out} images that are kept from the bandits"
    left_out = queries.images(session, job.name, quarantined=True, start=job.tuned_on)
    if len(left_out) == job.held_out:
        return (f"none {kept} could be checked: {left_out[-1].error}",)
    return (f"{job.checked} {kept} are checked so far",)


def _key(arm: ArmRow) -> tuple[int, str, str]:
    """What an arm is, in whatever job."""
    return arm.round, arm.setting, describe(arm.candidate)
