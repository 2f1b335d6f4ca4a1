"""Arms that Optuna suggests. What comes next depends on the seed and on what was told, in order."""

import logging
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.trial import Trial, TrialState

from tuner.spec.grid import Cell, Grid

REPEATS = 10
"""So many suggestions in a row that bring no new arm are followed by one drawn at random from those not tried."""


class Suggestions:
    """New arms to try, by the multivariate tree-structured Parzen estimator over the ranks of the candidates.

    Ranks keep the order of the candidates and need no even steps. A suggestion that stands for an arm already known is
    answered from what is known, at no pull; one that ranks nothing (cur and pre both 0) fails. The base is tried first.

    Args:
        grid: What there is to choose from.
        seed: Whole numbers.
    """

    def __init__(self, grid: Grid, seed: Sequence[int]) -> None:
        logging.getLogger("optuna").setLevel(logging.WARNING)
        root = np.random.SeedSequence(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of Optuna 4: multivariate, constant_liar
            sampler = TPESampler(seed=int(root.generate_state(1)[0]), multivariate=True, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._rng = np.random.default_rng(root.spawn(1)[0])
        self._grid = grid
        self._means: dict[int, float] = {}
        self._waiting: list[tuple[Trial, int]] = []
        self._enqueue(grid.base)

    def propose(self, count: int) -> tuple[int, ...]:
        """At most so many arms that were not tried, each once; fewer only where no more are left."""
        batch: list[int] = []
        repeats = 0
        untried = len(self._grid.arms.candidates) - len(self._means)
        while len(batch) < min(count, untried):
            trial = self._study.ask()
            arm = self._grid.cells.get(self._cell(trial))
            repeats += 1
            if arm is None:
                self._study.tell(trial, state=TrialState.FAIL)
            elif arm in self._means:
                self._study.tell(trial, self._means[arm])
            else:
                self._waiting.append((trial, arm))
                if arm not in batch:
                    batch.append(arm)
                    repeats = 0
            if repeats == REPEATS:
                self._enqueue(self._untried(batch))
                repeats = 0
        return tuple(batch)

    def tell(self, means: Mapping[int, float]) -> None:
        """Take in the success rate of each arm of the batch."""
        self._means.update(means)
        for trial, arm in self._waiting:
            self._study.tell(trial, self._means[arm])
        self._waiting.clear()

    def _cell(self, trial: Trial) -> Cell:
        return tuple(trial.suggest_int(name, 0, len(axis) - 1) for name, axis in self._grid.axes.items())

    def _enqueue(self, cell: Cell) -> None:
        self._study.enqueue_trial(dict(zip(self._grid.axes, cell, strict=True)))

    def _untried(self, batch: Sequence[int]) -> Cell:
        known = self._means.keys() | set(batch)
        cells = [cell for cell, arm in self._grid.cells.items() if arm not in known]
        return cells[int(self._rng.integers(len(cells)))]
