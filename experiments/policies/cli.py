"""``experiments policies``: simulations of the bandit policies. Nothing heavy is imported before a command runs."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click

from tuner.cli.options import format_option, storage_option

Command = TypeVar("Command", bound=Callable[..., Any])
Item = TypeVar("Item")

CORRELATIONS = "0,0.5,0.8,0.95"


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:  # noqa: ARG001
    try:
        return [float(number) for number in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no list of numbers, such as 0.1,0.2") from error


def _probabilities(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    numbers = _numbers(context, parameter, value)
    if len(numbers) < 2 or not all(0 < number < 1 for number in numbers):
        raise click.BadParameter(f"{value!r}: give at least two means between 0 and 1")
    return numbers


def _correlations(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    numbers = _numbers(context, parameter, value)
    if not all(0 <= number < 1 for number in numbers):
        raise click.BadParameter(f"{value!r}: a correlation lies in [0, 1)")
    return numbers


def _means_option(low: float, high: float) -> Callable[[Command], Command]:
    default = ",".join(f"{low + (high - low) * arm / 10:.3g}" for arm in range(11))
    return click.option(
        "--means", metavar="A,B,...", callback=_probabilities, default=default, show_default=True, help="Of the arms."
    )


def _runs_option(default: int) -> Callable[[Command], Command]:
    return click.option("--runs", type=click.IntRange(min=2), default=default, show_default=True, help="Seeded runs.")


seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all randomness."
)
images_option = click.option(
    "--images", type=click.IntRange(min=1), default=1000, show_default=True, help="Images of a pool."
)
delta_option = click.option(
    "--delta",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Allowed probability of losing the best arm.",
)


@click.group()
def policies() -> None:
    """Simulate the bandit policies: their regret, and how soon and how safely the best arm is found."""


@policies.command()
@_means_option(0.3, 0.55)
@click.option("--horizon", type=click.IntRange(min=1), default=10_000, show_default=True, help="Pulls a run.")
@_runs_option(200)
@click.option(
    "--policy", "kinds", metavar="A,B,...", default="ucb1,kl-ucb,ucb-tuned,thompson", show_default=True,
    help="Policies to play.",
)  # fmt: skip
@seed_option
@format_option
def regret(means: list[float], horizon: int, runs: int, kinds: str, seed: int, form: str) -> None:
    """Cumulative regret of the policies, played by the code that plays a job.

    The last row is the bound of Lai and Robbins: no policy that works on all arms does better in the long run. Takes
    some minutes with the defaults; --runs 20 gives a rough idea.
    """
    from math import log

    from experiments.policies.regret import lai_robbins
    from experiments.policies.regret import regret as measure
    from tuner.policies import POLICIES

    chosen = kinds.split(",")
    if unknown := [kind for kind in chosen if kind not in POLICIES]:
        raise click.BadParameter(f"policy {unknown[0]!r} is unknown: choose of {', '.join(POLICIES)}")
    if horizon < len(means):
        raise click.BadParameter(f"a horizon of {horizon} does not reach the {len(means)} arms")
    rows = [asdict(measure(kind, means, horizon, runs, seed)) for kind in _progress(chosen, "policies")]
    constant = lai_robbins(means)
    _show(
        [*rows, {"policy": f"{constant:.2f} ln T", "mean": constant * log(horizon), "error": None, "best": None}], form
    )


@policies.command()
@_means_option(0.05, 0.55)
@click.option("--correlation", "correlations", metavar="A,B,...", callback=_correlations, default="0.8",
              show_default=True, help="Between arms on an image.")  # fmt: skip
@images_option
@delta_option
@_runs_option(100)
@seed_option
@format_option
def identify(correlations: list[float], runs: int, form: str, **options: Any) -> None:
    """How many traces the race needs to know the best arm, beside other ways.

    All see the same pools. Bounds on each arm alone (successive elimination, KL-LUCB) cannot use that arms are compared
    on the same images, which is what the race lives on.
    """
    from experiments.policies.identification import METHODS, summarise

    rows = []
    for correlation in correlations:
        for method in _progress(list(METHODS), "methods"):
            summary = summarise(method, correlation=correlation, runs=runs, **options)
            rows.append({"correlation": correlation} | asdict(summary))
    _show(rows, form)


@policies.command()
@_means_option(0.05, 0.55)
@click.option("--correlation", "correlations", metavar="A,B,...", callback=_correlations, default=CORRELATIONS,
              show_default=True, help="Between arms on an image.")  # fmt: skip
@images_option
@delta_option
@_runs_option(2000)
@seed_option
@format_option
def safety(means: list[float], correlations: list[float], runs: int, form: str, **options: Any) -> None:
    """How often the race loses the best arm: at most in delta of the runs, if it keeps its promise.

    Each correlation is run with the means given and with all arms equal to the last, which is the hardest case: there
    is nothing to find, and every arm dropped is a mistake if it is the one that counts as best.
    """
    from experiments.policies.identification import summarise

    rows = []
    for correlation in _progress(correlations, "correlations"):
        for name, arms in (("as given", means), ("all equal", [means[-1]] * len(means))):
            summary = summarise("race", arms, correlation, runs=runs, **options)
            rows.append({"arms": name, "correlation": correlation} | asdict(summary))
    _show(rows, form)


@policies.command()
@click.argument("name")
@delta_option
@storage_option
@format_option
def measured(name: str, delta: float, storage: str, form: str) -> None:
    """How strongly the arms of a job agree, and which of them the race would have left, after how many images.

    Reads the scores of a job that ran with `scoring: all`, by any policy but the race itself. Images that lack the
    score of an arm are left out.
    """
    import numpy as np

    from experiments.errors import SettingError
    from experiments.policies.measured import agreement
    from storage import queries
    from storage.engine import Database
    from tuner.spec.job import stored_job

    rows = []
    with Database.open(storage) as database, database.reading() as session:
        job = queries.job(session, name)
        spec = stored_job(name, job.spec)
        arm_sets = {arms.setting: arms for arms in spec.arm_sets(spec.settings)}
        for bandit in queries.bandits(session, name):
            scores = queries.scores(session, name, setting=bandit.setting, round=bandit.round)
            full = scores.values[~np.isnan(scores.values).any(axis=1)]
            if len(scores.arms) < 2 or not len(full):
                continue
            arms = arm_sets[bandit.setting]
            found = agreement(
                arms.setting, arms.candidates, full >= job.threshold, preference=arms.preference, delta=delta
            )
            rows.append({"round": bandit.round} | asdict(found))
    if not rows:
        raise SettingError(f"job {name!r} has no image with the scores of all arms: name one with `scoring: all`")
    _show(rows, form)


@policies.command("interactions")
@click.argument("name")
@storage_option
@format_option
def interactions_(name: str, storage: str, form: str) -> None:
    """What tuning each setting alone misses: a job's best combination beside the settings' own best candidates.

    Needs a job with `search: joint` that scored every combination on every image, such as `policy: {kind: uniform,
    budget: B}` with a budget of images times combinations (715, with eleven values of each of the three weights).
    """
    import numpy as np

    from experiments.errors import SettingError
    from experiments.policies.interactions import interactions
    from storage import queries
    from storage.engine import Database
    from tuner.spec.job import stored_job

    with Database.open(storage) as database, database.reading() as session:
        job = queries.job(session, name)
        spec = stored_job(name, job.spec)
        scores = queries.scores(session, name) if spec.search == "joint" else None
    full = scores.values[~np.isnan(scores.values).any(axis=1)] if scores is not None else np.empty((0, 0))
    if len(full) < 2:
        raise SettingError(
            f"job {name!r} has not scored every combination: name one with `search: joint` whose budget reaches every "
            "combination on every image"
        )
    _show([asdict(interactions(spec.grid(spec.settings), full >= job.threshold))], form)


def _progress(items: Sequence[Item], what: str) -> Iterable[Item]:
    """The items, counted on a bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    return track(items, what, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _show(rows: Sequence[dict[str, Any]], form: str) -> None:
    from tuner.cli.output import show
    from tuner.results.table import Table

    show(Table(None, list(rows)), form)
