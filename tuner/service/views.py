"""What pages show beside what the API answers: a job with its pictures, and two jobs compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from storage import queries
from storage.rows import describe
from tuner.pages.bandits import BanditView, bandit_views
from tuner.pages.charts import Interval, IntervalChart, Reference
from tuner.report.verdict import Verdict, judge
from tuner.results.cells import between, change
from tuner.results.check import summarize_check
from tuner.results.learned import learned_settings
from tuner.results.table import Table
from tuner.results.tables import remarks
from tuner.service import schema


@dataclass(frozen=True)
class JobView:
    """What the page of a job shows.

    Args:
        verdict: What it came to so far.
        round: The round whose bandits are shown.
        rounds: How many rounds were begun.
        bandits: Those of the round.
        remarks: What is to be known of all arms.
    """

    verdict: Verdict
    round: int
    rounds: int
    bandits: Sequence[BanditView]
    remarks: Sequence[str]


def job_view(session: Session, name: str, round_: int | None) -> JobView:
    """The page of a job.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        round_: The round to show; the last one where it is None or was not begun.
    """
    job, bandits = queries.job(session, name), queries.bandits(session, name)
    rounds = bandits[-1].round
    shown = min(round_ or rounds, rounds)
    base = learned_settings(job, ())
    learned = learned_settings(job, [bandit for bandit in bandits if bandit.round == rounds])
    verdict = judge(job, bandits, summarize_check(session, job), changed=learned != base)
    return JobView(verdict, shown, rounds, bandit_views(session, job, shown), remarks(job, bandits))


def comparison_chart(comparison: schema.Comparison) -> IntervalChart | None:
    """The differences of two jobs' arms with their intervals; None where nothing is paired."""
    if not comparison.pairs:
        return None
    return IntervalChart(
        "differences",
        f"{comparison.second} minus {comparison.first} on common images, with 95% intervals",
        f"{len(comparison.pairs)} pairs of arms; an interval that does not reach 0 tells the jobs apart.",
        [Interval(_pair(pair), pair.difference, pair.low, pair.high) for pair in comparison.pairs],
        "difference of the share of successes",
        "arms",
        "number",
        Reference("no difference", 0.0),
    )


def comparison_table(comparison: schema.Comparison) -> Table:
    """The pairs in figures."""
    rows = [
        pair.model_dump(exclude={"arm", "other_arm", "low", "high"})
        | {
            "candidate": describe(pair.candidate),
            "other_candidate": describe(pair.other_candidate),
            "95% interval": between(pair.low, pair.high, change),
        }
        for pair in comparison.pairs
    ]
    return Table(f"{comparison.first} and {comparison.second}", rows)


def _pair(pair: schema.PairedArms) -> str:
    ours, theirs = describe(pair.candidate), describe(pair.other_candidate)
    return f"{pair.setting}: {ours}" if ours == theirs else f"{pair.setting}: {ours} and {theirs}"
