"""A job as a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, PullRow, describe
from tuner.errors import JobError
from tuner.policies.intervals import interval
from tuner.results import tables
from tuner.spec.arms import is_number

ROWS = 4
"""Arms, pulls over time, cumulative reward, arms still pulled."""


def draw(session: Session, name: str, output: Path) -> None:
    """Draw a job's last round: a column a bandit.

    From top to bottom: the mean of each arm with its 95% interval, and the rate of what needs no network; which arm was
    pulled at each trial; the reward so far; how many arms were still being pulled.

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
    bandits = [bandit for bandit in bandits if bandit.round == bandits[-1].round and bandit.pulls]
    if not bandits:
        raise JobError(f"job {name!r} has no pulls to draw yet; see `tuner status {name}`")
    figure = Figure(figsize=(4.2 * max(len(bandits), 2), 2.6 * ROWS), layout="constrained")
    axes = figure.subplots(ROWS, len(bandits), squeeze=False)
    for column, bandit in enumerate(bandits):
        arms = _drawn(queries.arms(session, name, setting=bandit.setting, round=bandit.round))
        pulls = list(queries.all_pulls(session, name, setting=bandit.setting, round=bandit.round))
        _draw_arms(axes[0, column], arms, job.baseline.get("mean"))
        _draw_pulls(axes[1, column], arms, pulls)
        _draw_reward(axes[2, column], pulls)
        _draw_survivors(axes[3, column], arms, pulls)
        title = f"{bandit.setting}: {bandit.outcome or 'running'}"
        axes[0, column].set_title(title if bandit.winner_rank is None else f"{title}, {describe(bandit.winner)}")
    figure.suptitle(f"{name}   ({tables.suc_reading(job)})", fontsize=8)
    try:
        figure.savefig(output, dpi=120)
    except (OSError, ValueError) as error:
        raise JobError(f"{output}: {error}; name a PNG, SVG or PDF file in a folder that is there") from error


@dataclass(frozen=True)
class _Arms:
    """The arms of a bandit, and where each stands on an axis."""

    rows: list[ArmRow]
    places: dict[int, float]
    label: str


def _drawn(arms: list[ArmRow]) -> _Arms:
    """Arms stand at their candidate where all are numbers, else at their place by mean among those that were tried."""
    values = {arm.id: float(arm.candidate) for arm in arms if is_number(arm.candidate)}
    if len(values) == len(arms):
        return _Arms(arms, values, "candidate")
    tried = sorted((arm for arm in arms if arm.pulls), key=lambda arm: arm.successes / arm.pulls)
    return _Arms(tried, {arm.id: float(place) for place, arm in enumerate(tried, 1)}, "arm, the lowest mean first")


def _draw_arms(axes: Axes, arms: _Arms, whole: float | None) -> None:
    pulled = [arm for arm in arms.rows if arm.pulls]
    means = np.array([arm.successes / arm.pulls for arm in pulled])
    bounds = np.array([interval(arm.successes, arm.pulls) for arm in pulled])
    spread: Any = np.abs(bounds.T - means)
    places = [arms.places[arm.id] for arm in pulled]
    axes.errorbar(places, means, spread, fmt="o", markersize=4, capsize=2, linewidth=1)
    best = [index for index, arm in enumerate(pulled) if arm.may_be_best]
    axes.plot([places[index] for index in best], means[best], "o", markersize=5, label="may be best")
    if whole is not None:
        axes.axhline(whole, linestyle=":", linewidth=1, color="grey", label="without a network")
    axes.set(xlabel=arms.label, ylabel="mean reward")
    axes.legend(fontsize=7)


def _draw_pulls(axes: Axes, arms: _Arms, pulls: list[PullRow]) -> None:
    axes.plot([pull.t for pull in pulls], [arms.places[pull.arm_id] for pull in pulls], ",")
    axes.set(xlabel="trial", ylabel=arms.label)


def _draw_reward(axes: Axes, pulls: list[PullRow]) -> None:
    axes.plot([pull.t for pull in pulls], np.cumsum([pull.success for pull in pulls]), linewidth=1)
    axes.set(xlabel="trial", ylabel="reward so far")


def _draw_survivors(axes: Axes, arms: _Arms, pulls: list[PullRow]) -> None:
    """An arm survives until its last pull."""
    last = {arm.id: 0 for arm in arms.rows} | {pull.arm_id: pull.t for pull in pulls}
    ends = np.sort(list(last.values()))
    axes.step([0, *ends], [len(ends), *range(len(ends) - 1, -1, -1)], where="post", linewidth=1)
    axes.set(xlabel="trial", ylabel="arms still pulled")
