"""A job as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, BanditRow, describe
from tuner.errors import JobError
from tuner.policies.intervals import interval
from tuner.results import tables
from tuner.results.images import lines, most_promising
from tuner.results.marks import Mark, marks, round_bases
from tuner.results.order import in_order

SHOWN = 16
"""Arms of a bandit that are drawn, at most: the most promising ones, and the base."""

NAMED = 6
"""Arms of a bandit that are named beside the winner and the base, at most: more names are not read."""

RACING = 8
"""Lines of a race that are drawn, at most."""

LONGEST = 34
"""Letters of a name beside an axis."""

WINNER, OPEN, OUT, BASE = "#1a7f37", "#0969da", "#8c959f", "#bc4c00"


def draw(session: Session, name: str, output: Path) -> None:
    """Draw a job's last round: a column a bandit.

    From top to bottom: the mean of each arm with its 95% interval; how the means of the leading arms went over the
    images; and when each arm was pulled or, of more arms than are drawn, how many were still pulled. The winner, the
    base, what may be best and what is out are told apart by shape and by colour.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        output: PNG, SVG or PDF, as its name says.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If nothing was pulled yet, or the picture cannot be written.
    """
    job = queries.job(session, name)
    bandits = queries.bandits(session, name)
    bases = round_bases(job, bandits)
    last = [bandit for bandit in bandits if bandit.round == bandits[-1].round and bandit.pulls]
    if not last:
        raise JobError(f"job {name!r} has no pulls to draw yet; see `tuner status {name}`")
    drawn = []
    for bandit in last:
        arms = queries.arms(session, name, setting=bandit.setting, round=bandit.round)
        marked = {arm.id: marks(bandit, arm, bases[bandit.round]) for arm in arms}
        drawn.append(_Drawn.of(bandit, arms, marked))
    rows = max(len(one.shown) for one in drawn)
    heights = (max(2.2, 0.6 + 0.22 * rows), 2.6, max(1.6, 0.6 + 0.16 * rows))
    width = 9.0 if len(drawn) == 1 else 5.4 * len(drawn)
    figure = Figure(figsize=(width, sum(heights) + 1.2), layout="constrained")
    axes = figure.subplots(len(heights), len(drawn), squeeze=False, height_ratios=heights)
    for column, one in enumerate(drawn):
        _draw_arms(axes[0, column], one, job.baseline.get("mean"))
        _draw_race(axes[1, column], one, lines(session, job, one.racing))
        pulls = queries.all_pulls(session, name, setting=one.bandit.setting, round=one.bandit.round)
        draw_pulls = _draw_pulls if len(one.shown) == one.arms else _draw_survivors
        draw_pulls(axes[2, column], one, [(pull.arm_id, pull.t) for pull in pulls])
    notes = [f"{name}: {tables.standing(job)}", *([tables.suc_reading(job)] if "suc" in job.spec["arms"] else [])]
    figure.suptitle("\n".join(notes), fontsize=9)
    figure.legend(handles=_key(drawn, job.baseline), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    try:
        figure.savefig(output, dpi=120)
    except (OSError, ValueError) as error:
        raise JobError(f"{output}: {error}; name a PNG, SVG or PDF file in a folder that is there") from error


@dataclass(frozen=True)
class _Drawn:
    """A bandit as it is drawn.

    Args:
        bandit: The bandit.
        arms: How many arms it has.
        out: How many of them are out.
        shown: Those that are drawn, from top to bottom: in the order of their candidates where all are, else the most
            promising first.
        racing: Those whose race is drawn.
        marked: The marks of every arm, by its id.
    """

    bandit: BanditRow
    arms: int
    out: int
    shown: Sequence[ArmRow]
    racing: Sequence[ArmRow]
    marked: Mapping[int, tuple[Mark, ...]]

    @classmethod
    def of(cls, bandit: BanditRow, arms: Sequence[ArmRow], marked: Mapping[int, tuple[Mark, ...]]) -> "_Drawn":
        """A bandit with its arms and their marks."""
        pulled = [arm for arm in arms if arm.pulls]
        own = [arm for arm in pulled if {"base", "winner"} & {*marked[arm.id]}]

        def most(count: int) -> list[ArmRow]:
            best = sorted(most_promising(pulled, count), key=lambda arm: "winner" not in marked[arm.id])
            missing = [arm for arm in own if arm not in best]
            return best[: count - len(missing)] + missing

        shown = in_order(pulled) if len(pulled) <= SHOWN else most(SHOWN)
        out = sum("ruled out" in each for each in marked.values())
        return cls(bandit, len(arms), out, shown, most(RACING), marked)

    @property
    def named(self) -> set[int]:
        """Ids of the arms that are named: the winner, the base, and others at even distances or the most promising."""
        own = [arm for arm in self.shown if {"winner", "base"} & {*self.marked[arm.id]}]
        others = self.shown[:NAMED] if len(self.shown) < self.arms else self.shown[:: -(-len(self.shown) // NAMED)]
        return {arm.id for arm in [*others, *own]}

    @property
    def title(self) -> str:
        """What is tuned, what won, and how many arms are out."""
        first = self.shown[0].candidate
        what = ", ".join(first) if isinstance(first, Mapping) else self.bandit.setting
        won = "no winner yet" if self.bandit.winner_rank is None else f"{_label(self.bandit.winner)} won"
        few = f", {len(self.shown)} are shown" if len(self.shown) < self.arms else ""
        ended = "" if self.bandit.outcome is None else f" ({self.bandit.outcome})"
        return f"{what}\n{won}{ended}; {self.out} of {self.arms} arms are out{few}"


def _label(candidate: Any) -> str:
    """An arm's name beside a title that says which settings it combines."""
    return ", ".join(map(describe, candidate.values())) if isinstance(candidate, Mapping) else describe(candidate)


def _style(of: tuple[Mark, ...]) -> dict[str, Any]:
    """How an arm's dot is drawn."""
    if "winner" in of:
        return {"marker": "D", "color": WINNER, "markersize": 7}
    if "ruled out" in of:
        return {"marker": "x", "color": OUT, "markersize": 5}
    return {"marker": "o", "color": OPEN, "markersize": 5}


def _dot(axes: Axes, x: float, y: float, of: tuple[Mark, ...]) -> None:
    """An arm's dot, with a square around the base's."""
    axes.plot(x, y, linestyle="none", zorder=4, clip_on=False, **_style(of))
    if "base" in of:
        axes.plot(x, y, "s", markersize=12, markerfacecolor="none", markeredgecolor=BASE, zorder=4, clip_on=False)


def _name_rows(axes: Axes, drawn: _Drawn) -> None:
    """A row an arm, the first on top; names where they are read."""
    named = drawn.named
    labels = [_label(arm.candidate) if arm.id in named else "" for arm in drawn.shown]
    labels = [label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…" for label in labels]
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    for tick, arm in zip(axes.get_yticklabels(), drawn.shown, strict=True):
        of = drawn.marked[arm.id]
        tick.set_color(WINNER if "winner" in of else BASE if "base" in of else OUT if "ruled out" in of else "black")
        tick.set_fontweight("bold" if {"winner", "base"} & {*of} else "normal")


def _draw_arms(axes: Axes, drawn: _Drawn, whole: float | None) -> None:
    for row, arm in enumerate(drawn.shown):
        of = drawn.marked[arm.id]
        axes.hlines(row, *interval(arm.successes, arm.pulls), color=_style(of)["color"], linewidth=1.2)
        _dot(axes, arm.successes / arm.pulls, row, of)
    if whole is not None:
        axes.axvline(whole, linestyle=":", linewidth=1, color="black")
    axes.set_title(drawn.title, fontsize=9)
    axes.set(xlabel="share of images that succeed, 95% interval", xlim=(-0.02, 1.02))
    _name_rows(axes, drawn)


def _draw_race(axes: Axes, drawn: _Drawn, went: Mapping[int, Sequence[tuple[int, float]]]) -> None:
    """The means of the leading arms over the images; the winner's and the base's are named at their ends."""
    for arm in reversed(drawn.racing):
        of = drawn.marked[arm.id]
        if arm.id not in went:
            continue
        images, means = np.array(went[arm.id]).T
        own = {"winner", "base"} & {*of}
        color = WINNER if "winner" in of else BASE if "base" in of else _style(of)["color"]
        axes.plot(images, means, color=color, linewidth=1.8 if own else 0.9, alpha=1 if own else 0.7)
        _dot(axes, images[-1], means[-1], of)
        if own:
            said = "winner and base" if len(own) == 2 else own.pop()
            axes.annotate(
                said, (images[-1], means[-1]), xytext=(-10, -16 if means[-1] > 0.5 else 9), textcoords="offset points",
                ha="right", color=color, fontsize=8, fontweight="bold",
            )  # fmt: skip
    axes.set(xlabel="images seen", ylabel="succeeded so far", ylim=(-0.05, 1.05))
    axes.set_title(f"the race of {len(drawn.racing)} arms", fontsize=9)


def _draw_pulls(axes: Axes, drawn: _Drawn, pulls: Sequence[tuple[int, int]]) -> None:
    """When each arm was pulled: a row ends where the arm went out."""
    trials: dict[int, list[int]] = {arm.id: [] for arm in drawn.shown}
    for arm, trial in pulls:
        if arm in trials:
            trials[arm].append(trial)
    colors = [_style(drawn.marked[arm.id])["color"] for arm in drawn.shown]
    rows = range(len(drawn.shown))
    axes.eventplot(list(trials.values()), lineoffsets=list(rows), linelengths=0.7, linewidths=0.7, colors=colors)
    axes.set(xlabel="pull")
    axes.set_title("when each arm was pulled", fontsize=9)
    _name_rows(axes, drawn)


def _draw_survivors(axes: Axes, drawn: _Drawn, pulls: Sequence[tuple[int, int]]) -> None:
    """How many arms were still pulled: an arm is until its last pull."""
    last = dict(pulls)
    ends = np.sort(list(last.values()))
    axes.step([0, *ends], [len(ends), *range(len(ends) - 1, -1, -1)], where="post", linewidth=1.2, color=OPEN)
    axes.set(xlabel="pull", ylabel="arms", ylim=(0, None))
    axes.set_title(f"how many of the {drawn.arms} arms were still pulled", fontsize=9)


def _key(drawn: Sequence[_Drawn], baseline: Mapping[str, Any]) -> list[Line2D]:
    """What the shapes mean, of those that the picture has."""
    used = {mark for one in drawn for arm in one.shown for mark in one.marked[arm.id]}
    at_play = any(not {"may be best", "ruled out"} & {*one.marked[arm.id]} for one in drawn for arm in one.shown)
    shapes: dict[str, dict[str, Any]] = {}
    if "winner" in used:
        shapes["winner"] = _style(("winner",))
    if "may be best" in used:
        shapes["may be best: not beaten"] = _style(("may be best",))
    if at_play:
        shapes["at play"] = _style(())
    if "ruled out" in used:
        shapes["out: another is better"] = _style(("ruled out",))
    if "base" in used:
        shapes["base"] = {"marker": "s", "color": BASE, "markersize": 9, "markerfacecolor": "none"}
    handles = [Line2D([], [], linestyle="none", label=label, **shape) for label, shape in shapes.items()]
    if "mean" in baseline:
        handles.append(Line2D([], [], linestyle=":", color="black", label="without a network"))
    return handles
