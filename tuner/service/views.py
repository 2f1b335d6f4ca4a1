"""What the pages draw of answers: bandits and pairs of jobs as charts."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.rows import describe
from tuner.pages.charts import Interval, IntervalChart, Line, LineChart, Mark, Reference
from tuner.results.table import Row, Table
from tuner.service import schema
from tuner.spec.arms import JOINT

SHOWN = 24
"""Arms of a bandit that a page shows."""


@dataclass(frozen=True)
class BanditView:
    """What a page shows of a bandit.

    Args:
        heading: What it tunes.
        said: Where it stands, in a sentence.
        arms: Its arms with their intervals; None before the first pull.
        race: How they went over the images; None before the first score.
        table: Its arms in figures.
    """

    heading: str
    said: str
    arms: IntervalChart | None
    race: LineChart | None
    table: Table


def bandit_view(bandit: schema.Bandit, arms: Sequence[schema.Arm], race: schema.Race, reward: str) -> BanditView:
    """A bandit as a page shows it.

    Args:
        bandit: The bandit.
        arms: Its arms, the most promising first.
        race: Those over the images.
        reward: What the job's values are called.
    """
    place = f"{bandit.setting}-{bandit.round}"
    what = "combinations" if bandit.setting == JOINT else bandit.setting
    heading = f"{what}, round {bandit.round}" if bandit.round > 1 else what
    marks = {arm.id: _marks(arm, bandit) for arm in arms}
    pulled = [arm for arm in arms if arm.mean is not None]
    table = Table(f"{heading}: arms", [_row(arm, reward) for arm in arms], (), ("id",))
    chart = lines = None
    if pulled:
        chart = IntervalChart(
            f"arms-{place}",
            f"{heading}: mean reward of each arm with its 95% interval",
            f"{len(pulled)} arms; the first, {describe(pulled[0].candidate)}, has a mean of {pulled[0].mean:.2f}.",
            [Interval(describe(arm.candidate), arm.mean or 0.0, arm.low, arm.high, marks[arm.id]) for arm in pulled],
            "mean reward",
            what,
            reference=_baseline(pulled),
        )
    went = [line for line in race.arms if line.line]
    if went:
        lines = LineChart(
            f"race-{place}",
            f"{heading}: mean reward over the images seen",
            f"The lines of the {len(went)} leading arms, from the first image to the last that each was pulled on.",
            [Line(describe(line.candidate), line.line, marks.get(line.id, ())) for line in went],
            "images",
            "mean reward",
            what,
        )
    return BanditView(heading, _said(bandit), chart, lines, table)


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
        pair.model_dump(exclude={"arm", "other_arm"})
        | {"candidate": describe(pair.candidate), "other_candidate": describe(pair.other_candidate)}
        for pair in comparison.pairs
    ]
    return Table(f"{comparison.first} and {comparison.second}", rows)


def _pair(pair: schema.PairedArms) -> str:
    ours, theirs = describe(pair.candidate), describe(pair.other_candidate)
    return f"{pair.setting}: {ours}" if ours == theirs else f"{pair.setting}: {ours} and {theirs}"


def _said(bandit: schema.Bandit) -> str:
    if bandit.claim:
        return f"{bandit.outcome}: {bandit.claim}."
    if bandit.leading is None:
        return "no pull yet."
    return f"{bandit.pulls} of {bandit.budget} pulls; {describe(bandit.leading)} leads with {bandit.mean:.1%}."


def _marks(arm: schema.Arm, bandit: schema.Bandit) -> tuple[Mark, ...]:
    if bandit.winner is not None and arm.candidate == bandit.winner:
        return ("winner",)
    if arm.may_be_best:
        return ("may be best",)
    return ("ruled out",) if arm.left_out is not None or arm.may_be_best is False else ()


def _row(arm: schema.Arm, reward: str) -> Row:
    """An arm in figures, its mean value by the reward's name."""
    known = arm.model_dump(exclude={"round", "setting"}) | {"candidate": describe(arm.candidate)}
    return {f"mean_{reward}" if key == "mean_value" else key: value for key, value in known.items()}


def _baseline(arms: Sequence[schema.Arm]) -> Reference | None:
    """What needs no network, on the images of the arm that saw most."""
    most = max(arms, key=lambda arm: arm.pulls)
    return None if most.baseline is None else Reference("without a network", most.baseline)
