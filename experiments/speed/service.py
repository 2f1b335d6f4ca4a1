"""The bandit's side: decisions a second, and recorded pulls a second beside Optuna's."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from experiments.speed.measure import Figure, seconds
from storage.engine import Database, upgrade
from tracer import Settings
from tuner.datasets import ImageList, LabelledImage
from tuner.play import lifecycle
from tuner.play.plan import make_plan
from tuner.policies import Bandit, make_policy
from tuner.spec.job import JobSpec
from tuner.workers.pool import SerialPool

POLICIES = ("ucb1", "ucb-tuned", "kl-ucb", "thompson")
ARMS = 11
DECISIONS = 5_000
"""Decisions a run."""
PULLS = 3_000
"""Pulls per weight and run, three weights."""
IMAGES = 1_000
TRIALS = 100
"""Trials of Optuna a run."""


def decision_figures(runs: int, seed: int) -> list[Figure]:
    """Decisions a second of each policy: choose among eleven arms, take in the reward."""
    figures = []
    for kind in POLICIES:
        speeds = []
        for run in range(runs):
            rewards = _rewards(seed + run)
            bandit = Bandit(make_policy(kind), ARMS, DECISIONS, DECISIONS, (seed, run), tuple(range(ARMS)))
            speeds.append(DECISIONS / seconds(lambda b=bandit, r=rewards: _decide(b, r)))  # type: ignore[misc]
        figures.append(Figure.of("decisions", f"{ARMS} arms", kind, speeds, "a second", at_least=50_000))
    return figures


def _decide(bandit: Bandit, rewards: list[list[bool]]) -> None:
    for reward in rewards:
        arm = bandit.choose()
        bandit.record(arm, success=reward[arm])


def _rewards(seed: int) -> list[list[bool]]:
    """Outcomes of arms whose means rise from 0.30 to 0.55, a row a decision."""
    outcomes = np.random.default_rng(seed).random((DECISIONS, ARMS)) < np.linspace(0.3, 0.55, ARMS)
    return cast("list[list[bool]]", outcomes.tolist())


def pull_figures(runs: int, seed: int) -> list[Figure]:
    """Recorded pulls a second on SQLite: a whole job, with images whose scores are at hand; then Optuna's storage."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            ours.append(_job_pulls(f"sqlite:///{folder}/pulls-{run}.db", seed))
            theirs.append(_optuna_trials(f"sqlite:///{folder}/optuna-{run}.db", seed))
    return [
        Figure.of("pulls", "select, store, count; SQLite", "tuner", ours, "a second", at_least=5_000),
        Figure.of("pulls", "ask, tell; SQLite", "Optuna RDBStorage, random sampler", theirs, "a second"),
    ]


@dataclass(frozen=True)
class _KnownScores:
    """Scores at hand, so that no time goes into tracing."""

    ious: NDArray[np.float64]

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        return self.ious[image, : len(settings)]


def _job_pulls(url: str, seed: int) -> float:
    boxes = np.array([[0.0, 0.0, 1.0, 1.0]])
    images = ImageList(tuple(LabelledImage(f"{i}", None, boxes, 2, 2, _no_pixels) for i in range(IMAGES)))
    spec = JobSpec.model_validate(
        {
            "name": "speed",
            "architecture": "resnet18",
            "dataset": {"kind": "digits", "images": IMAGES},
            "policy": {"kind": "ucb1", "budget": PULLS},
            "seed": seed,
        }
    )
    plan = make_plan(spec, images)
    scores = _KnownScores(np.random.default_rng(seed).random((IMAGES, 3 * ARMS)))
    upgrade(url)
    with Database.open(url) as database:
        lifecycle.create(database, plan)
        return 3 * PULLS / seconds(lambda: lifecycle.play(database, plan, lambda: SerialPool(scores)))


def _no_pixels() -> NoReturn:
    raise AssertionError("scores are at hand: nobody looks at pixels")


def _optuna_trials(url: str, seed: int) -> float:
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(storage=url, sampler=optuna.samplers.RandomSampler(seed=seed), direction="maximize")
    rng = np.random.default_rng(seed)

    def work() -> None:
        for _ in range(TRIALS):
            trial = study.ask()
            trial.suggest_categorical("arm", range(ARMS))
            study.tell(trial, float(rng.random() < 0.5))

    return TRIALS / seconds(work)
