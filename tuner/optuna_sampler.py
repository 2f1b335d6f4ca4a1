"""The bandit policies as an Optuna sampler: for categorical parameters and an objective of 0 or 1.

study = optuna.create_study(direction="maximize", sampler=UCBSampler())
study.optimize(lambda trial: succeeds(trial.suggest_categorical("method", ["a", "b", "c"])), n_trials=1000)
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuner.policies import Counts, Policy, make_policy


class UCBSampler(BaseSampler):
    """Chooses each categorical parameter by a bandit of its own: its choices are the arms, a trial is a pull.

    Trials that run, in this process or another one on the same storage, count as pulls in flight; failed and pruned
    ones do not count. The cost of a suggestion does not grow with the number of finished trials: each is read once.
    A trial whose process died counts as running until it is failed, for which Optuna's storages have a heartbeat.

    Args:
        policy: Chooses the arms; UCB1 if None. It sees the counts alone, so a race only goes round.
        seed: Of policies that draw; None draws a fresh one. A suggestion depends on the seed, the parameter's name, the
            trial's number and the counts, so threads need no streams of their own.

    Raises:
        ValueError: While sampling, if a parameter is not categorical, a study has several objectives, or a trial
            returned anything but 0 or 1.
    """

    def __init__(self, policy: Policy | None = None, *, seed: int | None = None) -> None:
        self._policy = policy if policy is not None else make_policy("ucb1")
        self._seed = int(np.random.SeedSequence(seed).generate_state(1)[0])
        self._ledgers: dict[str, _Ledger] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Without the counts, which are read again, and the lock."""
        return {"_policy": self._policy, "_seed": self._seed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._ledgers = {}
        self._lock = threading.Lock()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        """Nothing: every parameter is chosen by itself."""
        return {}

    def sample_relative(
        self,
        study: Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Nothing: every parameter is chosen by itself."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The choice that the policy pulls next."""
        self._raise_error_if_multi_objective(study)
        if not isinstance(param_distribution, CategoricalDistribution):
            raise ValueError(
                f"parameter {param_name!r} is not categorical: UCBSampler chooses among arms, so use "
                "suggest_categorical with the values to try"
            )
        with self._lock:
            ledger = self._ledgers.setdefault(study.study_name, _Ledger())
            counts = ledger.counts(study, trial.number, param_name, len(param_distribution.choices))
        rng = np.random.default_rng([self._seed, crc32(param_name.encode()), trial.number])
        return param_distribution.choices[self._policy.choose(counts, rng)]


@dataclass
class _Ledger:
    """Pulls and successes of a study's choices: finished trials are counted once, unfinished ones looked up."""

    known: int = 0
    """Trials with a lower number are counted or in ``unfinished``."""
    unfinished: set[int] = field(default_factory=set)
    pulls: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    successes: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def counts(self, study: Study, number: int, parameter: str, arms: int) -> Counts:
        """What is known of a parameter's choices when trial ``number`` asks for one."""
        pending = [0] * arms
        maximize = study.direction == StudyDirection.MAXIMIZE
        for trial in self._read(study, number):
            if trial.state.is_finished():
                self.unfinished.discard(trial.number)
                self._count(trial, maximize)
            else:
                self.unfinished.add(trial.number)
                if parameter in trial.params and trial.number != number:
                    pending[_arm(trial, parameter)] += 1
        pulls, successes = self.pulls[parameter], self.successes[parameter]
        return Counts.of([pulls[arm] for arm in range(arms)], [successes[arm] for arm in range(arms)], pending=pending)

    def _read(self, study: Study, number: int) -> Iterable[FrozenTrial]:
        """The trials that are new or were unfinished, one by one; all of them, at once, the first time."""
        first, self.known = self.known, max(self.known, number + 1)
        if first == 0:
            trials = study.get_trials(deepcopy=False)
            self.known = max(self.known, len(trials))
            return trials
        # the storage is asked for single trials, which no public method of a study does
        storage, id_ = study._storage, study._study_id
        numbers = sorted(self.unfinished.union(range(first, self.known)))
        return [storage.get_trial(storage.get_trial_id_from_study_id_trial_number(id_, n)) for n in numbers]

    def _count(self, trial: FrozenTrial, maximize: bool) -> None:
        if trial.state != TrialState.COMPLETE:
            return
        if trial.value not in (0, 1):
            raise ValueError(f"trial {trial.number} returned {trial.value}: UCBSampler needs an objective of 0 or 1")
        for parameter, distribution in trial.distributions.items():
            if isinstance(distribution, CategoricalDistribution):
                arm = _arm(trial, parameter)
                self.pulls[parameter][arm] += 1
                self.successes[parameter][arm] += (trial.value == 1) == maximize


def _arm(trial: FrozenTrial, parameter: str) -> int:
    return int(trial.distributions[parameter].to_internal_repr(trial.params[parameter]))
