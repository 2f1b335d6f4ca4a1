"""The sampler on Optuna's own studies and storages."""

import multiprocessing
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from tuner.optuna_sampler import UCBSampler
from tuner.policies import Counts, make_policy

VALUES = ["a", "b", "c", "d"]
MEANS = dict(zip(VALUES, [0.2, 0.3, 0.5, 0.8], strict=True))


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def make_study(sampler: BaseSampler, **settings: Any) -> optuna.Study:
    return optuna.create_study(**{"direction": "maximize", "sampler": sampler} | settings)


def reward(trial: Trial) -> int:
    value = trial.suggest_categorical("value", VALUES)
    return int(np.random.default_rng(trial.number).random() < MEANS[value])


def expected(trials: list[FrozenTrial], name: str, successful: float = 1) -> str:
    """What UCB1 chooses, counted from scratch."""
    complete = [t for t in trials if t.state == TrialState.COMPLETE and name in t.params]
    running = [t for t in trials if t.state == TrialState.RUNNING and name in t.params]
    counts = Counts.of(
        [sum(t.params[name] == value for t in complete) for value in VALUES],
        [sum(t.params[name] == value and t.value == successful for t in complete) for value in VALUES],
        pending=[sum(t.params[name] == value for t in running) for value in VALUES],
    )
    return VALUES[make_policy("ucb1").choose(counts, np.random.default_rng(0))]


@pytest.mark.parametrize(("direction", "successful"), [("maximize", 1), ("minimize", 0)])
def test_every_suggestion_is_that_of_the_policy_on_the_studys_trials(direction: str, successful: int) -> None:
    study = make_study(UCBSampler(), direction=direction)

    def objective(trial: Trial) -> int:
        before = study.get_trials()
        first = trial.suggest_categorical("first", VALUES)
        assert first == expected(before, "first", successful)
        if trial.number % 3 == 0:  # a parameter that only some trials have
            assert trial.suggest_categorical("second", VALUES) == expected(before, "second", successful)
        if trial.number % 10 == 7:
            raise optuna.TrialPruned
        return int(np.random.default_rng(trial.number).random() < MEANS[first])

    study.optimize(objective, n_trials=150)
    assert len(study.trials) == 150


@pytest.mark.parametrize("kind", ["ucb1", "ucb-tuned", "kl-ucb", "thompson"])
def test_the_best_choice_is_found(kind: str) -> None:
    study = make_study(UCBSampler(make_policy(kind), seed=0))
    study.optimize(reward, n_trials=300)
    assert Counter(trial.params["value"] for trial in study.trials).most_common(1)[0][0] == "d"


def test_running_trials_count_as_pulls_in_flight() -> None:
    study = make_study(UCBSampler())
    trials = [study.ask() for _ in range(8)]
    assert [trial.suggest_categorical("value", VALUES) for trial in trials] == VALUES * 2
    for trial in trials[1:]:
        study.tell(trial, 1)
    study.tell(trials[0], state=TrialState.FAIL)  # "a" has one pull then, the others two
    assert study.ask().suggest_categorical("value", VALUES) == "a"


def test_a_study_that_exists_is_counted() -> None:
    first = make_study(UCBSampler())
    first.optimize(reward, n_trials=60)
    second = make_study(RandomSampler(seed=0))
    second.add_trials(first.trials)
    second.sampler = UCBSampler()
    assert second.ask().suggest_categorical("value", VALUES) == expected(first.trials, "value")


def test_an_enqueued_value_is_taken_and_counted() -> None:
    study = make_study(UCBSampler())
    for _ in range(3):
        study.enqueue_trial({"value": "c"})
    study.optimize(reward, n_trials=6)
    assert [trial.params["value"] for trial in study.trials] == ["c", "c", "c", "a", "b", "d"]


def test_the_same_seed_makes_the_same_suggestions() -> None:
    made = []
    for seed in (1, 1, 2):
        study = make_study(UCBSampler(make_policy("thompson"), seed=seed))
        study.optimize(reward, n_trials=50)
        made.append([trial.params["value"] for trial in study.trials])
    assert made[0] == made[1] != made[2]


def test_a_pickled_sampler_goes_on() -> None:
    study = make_study(UCBSampler(make_policy("thompson"), seed=3))
    study.optimize(reward, n_trials=30)
    study.sampler = pickle.loads(pickle.dumps(study.sampler))
    study.optimize(reward, n_trials=30)
    undisturbed = make_study(UCBSampler(make_policy("thompson"), seed=3))
    undisturbed.optimize(reward, n_trials=60)
    assert [t.params for t in study.trials] == [t.params for t in undisturbed.trials]


def test_threads_share_the_counts() -> None:
    study = make_study(UCBSampler())
    study.optimize(reward, n_trials=80, n_jobs=4)
    trials = study.trials
    assert len(trials) == 80
    assert study.ask().suggest_categorical("value", VALUES) == expected(trials, "value")


class CountingStorage(InMemoryStorage):
    """Counts how many trials are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get_trial(self, trial_id: int) -> FrozenTrial:
        self.reads += 1
        return super().get_trial(trial_id)

    def get_all_trials(self, study_id: int, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        trials = super().get_all_trials(study_id, deepcopy, states)
        self.reads += len(trials)
        return trials


def test_a_suggestion_reads_no_more_trials_when_there_are_many() -> None:
    reads = {}
    for sampler in (UCBSampler(), RandomSampler(seed=0)):
        storage = CountingStorage()
        study = make_study(sampler, storage=storage)
        study.optimize(reward, n_trials=200)
        early = storage.reads
        study.optimize(reward, n_trials=200)
        reads[type(sampler)] = (early, storage.reads - early)
    extra = [ours - theirs for ours, theirs in zip(reads[UCBSampler], reads[RandomSampler], strict=True)]
    assert max(extra) <= 2 * 200  # the new trial, and the one before it that has finished


def _work(url: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.load_study(study_name="shared", storage=url, sampler=UCBSampler()).optimize(reward, n_trials=15)


def test_processes_share_a_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/optuna.db"
    study = make_study(UCBSampler(), study_name="shared", storage=url)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(url,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = study.get_trials()
    assert sum(trial.state == TrialState.COMPLETE for trial in trials) == 30
    assert study.ask().suggest_categorical("value", VALUES) == expected(trials, "value")


def test_what_is_no_bandit_is_refused() -> None:
    with pytest.raises(ValueError, match="parameter 'x' is not categorical"):
        make_study(UCBSampler()).ask().suggest_float("x", 0, 1)
    two = optuna.create_study(directions=["maximize", "maximize"], sampler=UCBSampler())
    with pytest.raises(ValueError, match="multi-objective"):
        two.ask().suggest_categorical("value", VALUES)
    study = make_study(UCBSampler())
    study.tell(study.ask(), 0.5)
    with pytest.raises(ValueError, match=r"trial 0 returned 0.5: .* an objective of 0 or 1"):
        study.ask().suggest_categorical("value", VALUES)
