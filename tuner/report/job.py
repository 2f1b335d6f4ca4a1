"""What a report says of a job; every figure comes from :mod:`tuner.results`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from storage import queries
from storage.models import Candidate
from storage.rows import ArmRow, BanditRow, JobRow, describe
from tracer import Settings
from tracer.weights import describe_reward
from tuner.errors import JobError
from tuner.pages.charts import DifferenceChart, Interval, IntervalChart, Line, LineChart, Mark, Reference
from tuner.report.verdict import OUTCOMES, Verdict, conditions, judge, short
from tuner.results import tables
from tuner.results.check import checked_images, gains, summarize_check
from tuner.results.evidence import claim, tuned_images
from tuner.results.export import learned_settings
from tuner.results.images import race
from tuner.results.table import Row, Table
from tuner.spec.arms import JOINT
from tuner.spec.job import JobSpec, stored_job

SHOWN = 24
"""Arms of a bandit that are shown, at most."""


@dataclass(frozen=True)
class BanditReport:
    """What is shown of a bandit.

    Args:
        heading: What it tuned.
        claim: What its verdict says.
        arms: Its arms with their intervals; ``None`` before the first pull.
        race: How their means went over the images; ``None`` before the first score.
        table: The arms in figures.
    """

    heading: str
    claim: str
    arms: IntervalChart | None
    race: LineChart | None
    table: Table


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
    bandits: Sequence[BanditReport]
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
    rounds = {bandit.round: [each for each in bandits if each.round == bandit.round] for bandit in bandits}
    last = rounds[max(rounds)]
    bases = [spec.settings, *(learned_settings(job, of_round) for of_round in rounds.values())]
    check, gained, images = summarize_check(session, job), gains(session, job), checked_images(session, job)
    arms = tables.arms(session, name)
    reward = spec.reward.name
    measured = describe_reward(reward)
    reports = [
        _bandit(session, job, bandit, base) for base, of in zip(bases, rounds.values(), strict=False) for bandit in of
    ]
    return JobReport(
        job,
        spec,
        bases[-1],
        judge(job, check, changed=bases[-1] != spec.settings),
        _facts(job, spec),
        _settings(spec, bases[-1], ended=last[0].winner is not None),
        reports,
        tables.remarks(job),
        measured,
        gained,
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


def _bandit(session: Session, job: JobRow, bandit: BanditRow, base: Settings) -> BanditReport:
    arms = queries.arms(session, job.name, setting=bandit.setting, round=bandit.round)
    known = tables.arms(session, job.name, bandit.setting, bandit.round, top=SHOWN)
    first = arms[0].candidate
    each = ", ".join(first) if isinstance(first, Mapping) else bandit.setting
    what = f"Combinations of {each}" if bandit.setting == JOINT else each
    heading = f"{what}, round {bandit.round}" if job.spec["rounds"] > 1 else what
    said = claim(bandit, arms, tuned_images(session, job)) or "the bandit has no verdict yet"
    at_base = {arm.id for arm in arms if _is_base(arm, bandit, base)}
    marks = {arm.id: _marks(arm, bandit, at_base) for arm in arms}
    pulled = [row for row in known.rows if row["pulls"]]
    extent = f"{len(known.rows)} of {len(arms)} arms" if len(arms) > len(known.rows) else f"all {len(arms)} arms"
    table = Table(f"{heading}: {extent}", known.rows, (), ("id", "round", "setting"))
    if not pulled:
        return BanditReport(heading, said, None, None, table)
    place = f"{bandit.setting}-{bandit.round}"
    whole = Reference("without a network", job.baseline["mean"]) if "mean" in job.baseline else None
    leader = pulled[0]
    chart = IntervalChart(
        f"arms-{place}",
        f"Share of images on which each arm succeeds, with its 95% interval ({extent})",
        f"{len(pulled)} arms: {what}. The first, {describe(leader['candidate'])}, succeeds on "
        f"{leader['mean']:.0%} of {leader['pulls']} images, the last on {pulled[-1]['mean']:.0%}.",
        [Interval(_label(row["candidate"]), row["mean"], row["low"], row["high"], marks[row["id"]]) for row in pulled],
        "images that succeed",
        each,
        reference=whole,
    )
    went = race(session, job.name, bandit.setting, bandit.round).rows
    lines = [Line(_label(row["candidate"]), row["line"], marks[row["id"]]) for row in went]
    return BanditReport(heading, said, chart, _race(lines, place, each, whole) if lines else None, table)


def _race(lines: Sequence[Line], place: str, each: str, whole: Reference | None) -> LineChart:
    out = sum("ruled out" in line.marks for line in lines)
    return LineChart(
        f"race-{place}",
        f"How the shares went, image by image ({len(lines)} leading arms)",
        f"{len(lines)} lines, of which {out} end in a cross because their arm was ruled out. The first arm, "
        f"{lines[0].label}, ends at {lines[0].points[-1][1]:.0%} after {lines[0].points[-1][0]} images.",
        lines,
        "images seen",
        "images that succeeded so far",
        each,
        reference=whole,
    )


def _differences(images: Table, mean: Mapping[str, Any], measured: str) -> DifferenceChart:
    values = [row["difference"] for row in images.rows]
    low, high = mean["interval"]
    better, worse = sum(value > 0 for value in values), sum(value < 0 for value in values)
    return DifferenceChart(
        "differences",
        f"How much the {measured} changed on each image that was kept aside: learned less base",
        f"{better} images are explained better, {worse} worse and {len(values) - better - worse} alike. The mean "
        f"change is {mean['difference']:+.3f}, between {low:+.3f} and {high:+.3f}.",
        values,
        f"{measured}, learned less base",
        Interval("mean", mean["difference"], low, high),
    )


def _marks(arm: ArmRow, bandit: BanditRow, at_base: set[int]) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    if bandit.winner is not None and arm.candidate == bandit.winner:
        marks.append("winner")
    if arm.may_be_best is not None:
        marks.append("may be best" if arm.may_be_best else "ruled out")
    if arm.id in at_base:
        marks.append("base")
    return tuple(marks)


def _is_base(arm: ArmRow, bandit: BanditRow, base: Settings) -> bool:
    """Whether an arm traces as the base of its round does."""
    tried = arm.candidate if isinstance(arm.candidate, Mapping) else {bandit.setting: arm.candidate}
    return base.changed(tried) == base


def _label(candidate: Candidate) -> str:
    """An arm's name in a picture whose key says which settings it combines."""
    return ", ".join(map(describe, candidate.values())) if isinstance(candidate, Mapping) else describe(candidate)


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
