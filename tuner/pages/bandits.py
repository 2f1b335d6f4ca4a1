"""The bandits of a job as pages show them: a sentence, the arms with their intervals, and their way over the images.

The macro of ``bandits.html`` draws a view; the report of a job and the page that follows it show the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from storage import queries
from storage.models import Candidate
from storage.rows import ArmRow, BanditRow, JobRow, describe
from tracer import Settings
from tuner.pages.charts import Interval, IntervalChart, Line, LineChart, Reference
from tuner.results.endings import ending
from tuner.results.evidence import claim, tuned_images
from tuner.results.images import lines, most_promising
from tuner.results.marks import marks, round_bases
from tuner.results.table import Row, Table
from tuner.results.tables import arm_rows, promising
from tuner.spec.arms import JOINT

SHOWN = 24
"""Arms of a bandit that are shown, at most."""

RACING = 8
"""Lines of a race that are drawn, at most: more are not told apart."""

Way = tuple[ArmRow, Sequence[tuple[int, float]]]
"""How an arm went: pairs of a number of images and the mean reward over so many."""


@dataclass(frozen=True)
class BanditView:
    """What is shown of a bandit.

    Args:
        place: Its name among the bandits of the job, as a part of an HTML id.
        heading: What it tunes.
        said: What its verdict says, or how far it is, as a sentence.
        arms: Its arms with their intervals; ``None`` before the first pull.
        race: How their means went over the images; ``None`` before the first pull.
        table: The arms in figures.
    """

    place: str
    heading: str
    said: str
    arms: IntervalChart | None
    race: LineChart | None
    table: Table


def bandit_views(session: Session, job: JobRow, round_: int | None = None) -> list[BanditView]:
    """The bandits of a job, by round and in the order of the settings.

    Args:
        session: Of ``Database.reading``.
        job: The job.
        round_: Only those of this round.
    """
    bandits = queries.bandits(session, job.name)
    asked = [bandit for bandit in bandits if round_ in (None, bandit.round)]
    arms = queries.arms(session, job.name, round=round_)
    own = {bandit.id: [arm for arm in arms if arm.bandit_id == bandit.id] for bandit in asked}
    racing = {bandit: most_promising(each, RACING) for bandit, each in own.items()}
    went = lines(session, job, [arm for each in racing.values() for arm in each])
    images = tuned_images(session, job)
    bases = round_bases(job, bandits)
    return [
        _Bandit(job, bandit, own[bandit.id], bases[bandit.round]).view(
            promising(arm_rows(session, job, own[bandit.id]))[:SHOWN],
            [(arm, went[arm.id]) for arm in racing[bandit.id] if arm.id in went],
            images,
        )
        for bandit in asked
    ]


@dataclass(frozen=True)
class _Bandit:
    """A bandit with what its pictures need to know of it."""

    job: JobRow
    bandit: BanditRow
    arms: Sequence[ArmRow]
    base: Settings

    def view(self, shown: Sequence[Row], went: Sequence[Way], images: int) -> BanditView:
        """The view.

        Args:
            shown: The arms to show, the most promising first, as :func:`tuner.results.tables.arm_rows` gives them.
            went: How the most promising ones went over the images.
            images: How many images the arms could be pulled on.
        """
        few = len(self.arms) > len(shown)
        extent = f"{len(shown)} of {len(self.arms)} arms" if few else f"all {len(self.arms)} arms"
        pulled = [row for row in shown if row["pulls"]]
        return BanditView(
            f"{self.bandit.setting}-{self.bandit.round}",
            self._heading,
            self._sentence(images),
            self._chart(pulled, extent) if pulled else None,
            self._race(went) if went else None,
            Table(f"{self._heading}: {extent}", list(shown), (), ("id", "round", "setting")),
        )

    @property
    def _tuned(self) -> str:
        """The setting, or those that are combined."""
        first = self.arms[0].candidate
        return ", ".join(first) if isinstance(first, Mapping) else self.bandit.setting

    @property
    def _heading(self) -> str:
        what = f"Combinations of {self._tuned}" if self.bandit.setting == JOINT else self._tuned
        return f"{what}, round {self.bandit.round}" if self.job.spec["rounds"] > 1 else what

    @property
    def _reference(self) -> Reference | None:
        """What needs no network at all."""
        return Reference("without a network", self.job.baseline["mean"]) if "mean" in self.job.baseline else None

    def _sentence(self, images: int) -> str:
        told = claim(self.bandit, self.arms, images)
        if told is not None:
            sentences = filter(None, (told, ending(self.bandit, self.job.spec["policy"]["budget"])))
            return " ".join(f"{one[0].upper()}{one[1:]}." for one in sentences)
        first = next(iter(most_promising(self.arms, 1)), None)
        if first is None or first.mean is None:
            return "No arm has been pulled yet."
        return (
            f"{self.bandit.pulls:,} of at most {self.job.spec['policy']['budget']:,} pulls are made, and no arm has "
            f"won yet. The most promising one so far, {describe(first.candidate)}, succeeds on {first.mean:.0%} of the "
            f"{first.pulls:,} images that it was tried on."
        )

    def _chart(self, pulled: Sequence[Row], extent: str) -> IntervalChart:
        marked = {arm.id: marks(self.bandit, arm, self.base) for arm in self.arms}
        first, last = pulled[0], pulled[-1]
        return IntervalChart(
            f"arms-{self.bandit.setting}-{self.bandit.round}",
            f"Share of images on which each arm succeeds, with its 95% interval ({extent})",
            f"{len(pulled)} arms: {self._heading}. The first, {describe(first['candidate'])}, succeeds on "
            f"{first['mean']:.0%} of {first['pulls']} images, the last on {last['mean']:.0%}.",
            [
                Interval(_label(row["candidate"]), row["mean"], row["low"], row["high"], marked[row["id"]])
                for row in pulled
            ],
            "images that succeed",
            self._tuned,
            reference=self._reference,
        )

    def _race(self, went: Sequence[Way]) -> LineChart:
        drawn = [Line(_label(arm.candidate), points, marks(self.bandit, arm, self.base)) for arm, points in went]
        out = sum("ruled out" in line.marks for line in drawn)
        return LineChart(
            f"race-{self.bandit.setting}-{self.bandit.round}",
            f"How the shares went, image by image ({len(drawn)} most promising arms)",
            f"{len(drawn)} lines, of which {out} end in a cross because their arm was ruled out. The first arm, "
            f"{drawn[0].label}, ends at {drawn[0].points[-1][1]:.0%} after {drawn[0].points[-1][0]} images.",
            drawn,
            "images seen",
            "images that succeeded so far",
            self._tuned,
            reference=self._reference,
        )


def _label(candidate: Candidate) -> str:
    """An arm's name in a picture whose key says which settings it combines."""
    return ", ".join(map(describe, candidate.values())) if isinstance(candidate, Mapping) else describe(candidate)
