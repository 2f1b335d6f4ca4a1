"""What a report says of a job; every figure comes from :mod:`tuner.results`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from storage import queries
from storage.rows import JobRow, describe
from tracer import Settings
from tracer.weights import describe_reward
from tuner.errors import JobError
from tuner.pages.bandits import BanditView, bandit_views
from tuner.pages.charts import DifferenceChart, Interval
from tuner.report.verdict import Verdict, conditions, judge, short
from tuner.results import tables
from tuner.results.cells import OUTCOMES, between, change, none_differs, points
from tuner.results.check import checked_images, gains, summarize_check
from tuner.results.learned import learned_settings
from tuner.results.table import Row, Table
from tuner.spec.job import JobSpec, stored_job


@dataclass(frozen=True)
class JobReport:
    """What a report says of a job.

    Args:
        job: The job.
        spec: Its configuration.
        learned: The settings that it learned so far.
        verdict: What came of it.
        facts: What was tuned, and how.
        settings: Each setting that was tuned, before and after.
        bandits: By round, in the order of the settings.
        remarks: What is to be known of all arms.
        measured: What the values of the job's reward are called.
        gains: The base against what was learned, by the value that is asked for.
        differences: The same image by image; ``None`` where the check is not done.
        images: The values on each image of the check, the largest differences first.
        conditions: What would change the verdict.
        data: What the report embeds as JSON.
    """

    job: JobRow
    spec: JobSpec
    learned: Settings
    verdict: Verdict
    facts: Mapping[str, Any]
    settings: Table
    bandits: Sequence[BanditView]
    remarks: Sequence[str]
    measured: str
    gains: Table
    differences: DifferenceChart | None
    images: Table
    conditions: Sequence[str]
    data: Mapping[str, Any]


def make_report(session: Session, name: str) -> JobReport:
    """The report of a job as it stands, without pictures of its images.

    Args:
        session: Of ``Database.reading``.
        name: The job's.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If it has not pulled yet.
    """
    job = queries.job(session, name)
    bandits = queries.bandits(session, name)
    if not any(bandit.pulls for bandit in bandits):
        raise JobError(f"job {name!r} has no pulls to report yet; see `tuner status {name}`")
    spec = stored_job(name, job.spec)
    last = [bandit for bandit in bandits if bandit.round == bandits[-1].round]
    learned = learned_settings(job, last)
    check, gained, images = summarize_check(session, job), gains(session, job), checked_images(session, job)
    arms = tables.arms(session, name)
    reward = spec.reward.name
    measured = describe_reward(reward)
    return JobReport(
        job,
        spec,
        learned,
        judge(job, bandits, check, changed=learned != spec.settings),
        _facts(job, spec),
        _settings(spec, learned, ended=last[0].winner_rank is not None),
        bandit_views(session, job),
        tables.remarks(job, bandits),
        measured,
        _gains(gained),
        _differences(images, check[f"mean_{reward}"], measured) if check else None,
        images,
        conditions(job, last, check, gained.rows),
        {"job": _job(job), "check": check, "gains": gained.rows, "arms": arms.rows, "images": images.rows},
    )


def _facts(job: JobRow, spec: JobSpec) -> dict[str, Any]:
    combined = " in combinations" if spec.search == "joint" else ", each with the others held at their base"
    return {
        "network": short(spec.architecture),
        "explained by": short(spec.explainer),
        "images": f"{job.tuned_on} to tune on, {job.held_out} kept aside for the comparison ({spec.dataset.kind})",
        "settings tuned": ", ".join(spec.arms) + combined,
        "rounds": spec.rounds,
        "policy": f"{spec.policy.kind}, at most {spec.policy.budget} pulls a bandit",
        "pulls": job.pulls,
        "outcome": f"{job.outcome}: {OUTCOMES[job.outcome]}" if job.outcome else tables.standing(job),
        "rewarded for": f"{describe_reward(spec.reward.name)} of {job.threshold:g} or more",
    }


def _settings(spec: JobSpec, learned: Settings, *, ended: bool) -> Table:
    """Each setting that was tuned: what it was, what was tried, what it became."""
    before, after = spec.settings.values(), learned.values()
    rows: list[Row] = [
        {
            "setting": name,
            "base": describe(before[name]),
            "tried": ", ".join(map(describe, candidates)),
            "learned": describe(after[name]) if ended else None,
        }
        for name, candidates in spec.arms.items()
    ]
    return Table(f"{spec.name}: settings before and after", rows)


def _gains(gained: Table) -> Table:
    """Gains as people read them: in points, with the interval in one cell."""
    rows = [
        {key: row[key] for key in row if key not in ("difference", "low", "high")}
        | {"difference": points(row["difference"]), "95% interval": between(row["low"], row["high"], points)}
        for row in gained.rows
    ]
    return Table(gained.title, rows)


def _differences(images: Table, mean: Mapping[str, Any], measured: str) -> DifferenceChart:
    values = [row["difference"] for row in images.rows]
    low, high = mean["interval"]
    better, worse = sum(value > 0 for value in values), sum(value < 0 for value in values)
    mean_change = f"is {change(mean['difference'])}, between {change(low)} and {change(high)}"
    return DifferenceChart(
        "differences",
        f"How much the {measured} changed on each image that was kept aside: learned less base",
        f"{better} images are explained better, {worse} worse and {len(values) - better - worse} alike. The mean "
        f"change {'is 0' if none_differs(low, high) else mean_change}.",
        values,
        f"{measured}, learned less base",
        Interval("mean", mean["difference"], low, high),
    )


def _job(job: JobRow) -> dict[str, Any]:
    """What makes a job again, and what it was made of; paths are shortened to names, since reports are handed on."""
    return {
        "name": job.name,
        "state": tables.standing(job),
        "outcome": job.outcome,
        "seed": job.seed,
        "created": job.created,
        "ended": job.ended,
        "spec": shareable(job.spec),
        "hashes": hashes(job),
        "versions": dict(job.versions),
        "whole_image": {key: value for key, value in job.baseline.items() if key != "successes"},
    }


def hashes(job: JobRow) -> dict[str, str]:
    """What the job was made of, as SHA-256; what is not known is left out."""
    known = {
        "data set": job.dataset_sha256,
        "pixels": job.pixels_sha256,
        "checkpoint file": job.checkpoint_sha256,
        "parameters": job.parameters_sha256,
        "code": job.code_sha256,
    }
    return {what: digest for what, digest in known.items() if digest is not None}


def shareable(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without the folders of the machine it ran on."""
    parts = {
        part: {key: short(value) if _is_path(value) else value for key, value in spec[part].items()}
        for part in ("dataset", "reward")
    }
    files = {key: short(spec[key]) for key in ("architecture", "checkpoint", "explainer") if spec.get(key)}
    return {**spec, **files, **parts}


def _is_path(value: Any) -> bool:
    """Whether a value names a file: the paths of a job file are stored absolute."""
    return isinstance(value, str) and Path(value).is_absolute()
