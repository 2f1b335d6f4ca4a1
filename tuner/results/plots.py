"""A job as a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sqlalchemy.orm import Session

from storage import queries
from storage.rows import ArmRow, PullRow, WeightRow
from tuner.errors import JobError
from tuner.policies.intervals import interval
from tuner.results import tables as answers

ROWS = 4
"""Arms, pulls over time, cumulative reward, arms still pulled."""


def draw(session: Session, name: str, output: Path) -> None:
    """Draw a job's last round: a column a weight.

    From top to bottom: the mean of each arm with its 95% interval, and the whole image's rate; which arm was pulled at
    each trial; the reward so far; how many arms were still being pulled.

    Args:
        session: Of ``Database.reading``.
        name: The job's.
        output: PNG, SVG or PDF, as its name says.

    Raises:
        UnknownJobError: If there is no such job.
        JobError: If nothing was pulled yet, or the picture cannot be written.
    """
    job = queries.job(session, name)
    weights = queries.weights(session, name)
    weights = [weight for weight in weights if weight.round == weights[-1].round and weight.pulls]
    if not weights:
        raise JobError(f"job {name!r} has no pulls to draw yet; see `tuner status {name}`")
    figure = Figure(figsize=(4.2 * max(len(weights), 2), 2.6 * ROWS), layout="constrained")
    axes = figure.subplots(ROWS, len(weights), squeeze=False)
    for column, weight in enumerate(weights):
        arms = _drawn(queries.arms(session, name, weight=weight.weight, round=weight.round))
        pulls = _pulls(session, name, weight)
        _draw_arms(axes[0, column], arms, job.baseline.get("mean"))
        _draw_pulls(axes[1, column], arms, pulls)
        _draw_reward(axes[2, column], pulls)
        _draw_survivors(axes[3, column], arms, pulls)
        title = f"{weight.weight}: {weight.outcome or 'running'}"
        axes[0, column].set_title(title if weight.winner is None else f"{title}, {weight.winner:g}")
    figure.suptitle(f"{name}   ({answers.suc_reading(job)})", fontsize=8)
    try:
        figure.savefig(output, dpi=120)
    except (OSError, ValueError) as error:
        raise JobError(f"{output}: {error}; name a PNG, SVG or PDF file in a folder that is there") from error


@dataclass(frozen=True)
class _Arms:
    """The arms of a weight, and where each stands on an axis."""

    rows: list[ArmRow]
    places: dict[int, float]
    label: str


def _drawn(arms: list[ArmRow]) -> _Arms:
    """Arms stand at their value; triples, which have no order, at their place by mean among those that were tried."""
    values = {arm.id: arm.value for arm in arms if isinstance(arm.value, float)}
    if len(values) == len(arms):
        return _Arms(arms, values, "value")
    tried = sorted((arm for arm in arms if arm.pulls), key=lambda arm: arm.successes / arm.pulls)
    return _Arms(tried, {arm.id: float(place) for place, arm in enumerate(tried, 1)}, "triple, the lowest mean first")


def _pulls(session: Session, name: str, weight: WeightRow) -> list[PullRow]:
    pulls: list[PullRow] = []
    after = (0, 0)
    while page := queries.pulls(session, name, weight=weight.weight, round=weight.round, after=after, limit=10_000):
        pulls += page
        after = (page[-1].weight_id, page[-1].t)
    return pulls


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
        axes.axhline(whole, linestyle=":", linewidth=1, color="grey", label="whole image")
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
