"""PnPXAI's optimiser beside the bandits: the same arms and values, the same number of forward passes.

PnPXAI (0.1.3) asks Optuna for an explainer's settings on the images it is given, and takes the trial with the highest
mean of its metric; it has no interval and does not drop what is hopeless early. Here its own objective and optimiser
run on values that were recorded, so that no network is needed; forward passes are counted as each would spend them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from experiments.compare import paired_difference
from experiments.errors import ExperimentError
from experiments.result import Measured, Result
from experiments.rewards import REWARDS, Table, forwards_of, parts_of
from tuner.policies import make_policy, replay
from tuner.spec.arms import ArmSet

TRIALS = 50
"""Of a study: PnPXAI's own default for its TPE sampler. Settings that were tried already cost no forward pass."""

RACE, ONE, BATCH = "race", "PnPXAI, one image", "PnPXAI, as many images as that affords"


@dataclass(frozen=True)
class Chosen:
    """What a way to choose settings is worth on other images, for a number of forward passes.

    Args:
        reward: What is chosen by, and judged by.
        forwards: Forward passes that may be spent, those of the explanations included.
        who: The bandits' race, or PnPXAI on one image or on as many as that affords.
        images: How many images it looked at, the median of the runs.
        success: Share of the other images on which the choice succeeds, percent, the mean of the runs.
        difference: The share less the race's.
        low: Lower end of the difference's paired 95% interval over the other images.
        high: Upper end.
        arms: How many different arms were chosen in the runs.
        runs: How many orders of the images were played.
    """

    reward: str
    forwards: int
    who: str
    images: float
    success: float
    difference: float
    low: float
    high: float
    arms: int
    runs: int


def beside(
    optimiser: "Optimiser",
    table: Table,
    tuned_on: int,
    arms: ArmSet,
    budgets: Sequence[int],
    runs: int,
    seed: int,
) -> Iterator[Chosen]:
    """What the race and PnPXAI choose on the first images of the table, judged on the others.

    A reward of which a budget does not pay for one image is left out.

    Args:
        optimiser: PnPXAI's.
        table: The values.
        tuned_on: How many images are for choosing.
        arms: The arms of the table.
        budgets: Forward passes that may be spent.
        runs: How many orders of the images are played.
        seed: Of the orders, the policies and the samplers.
    """
    for name in REWARDS:
        values, successes = table.values[name], table.successes(name)
        parts = parts_of(values)
        hits = successes[tuned_on:].astype(np.float64)
        for budget in budgets:
            orders = [np.random.default_rng([seed, run]).permutation(tuned_on) for run in range(runs)]
            afforded = [_affordable(name, parts[order], budget) for order in orders]
            if not all(afforded):
                continue
            raced = [
                _race(name, parts[order], successes[order], budget, (seed, run), arms)
                for run, order in enumerate(orders)
            ]
            picks = {RACE: raced}
            for who, numbers in ((ONE, [1] * runs), (BATCH, afforded)):
                picks[who] = [
                    (optimiser.best(values[order[:images]], arms, seed=seed + run), images)
                    for run, (order, images) in enumerate(zip(orders, numbers, strict=True))
                ]
            if picks[ONE] == picks[BATCH]:
                del picks[BATCH]
            worth = {who: hits[:, [arm for arm, _ in own]].mean(axis=1) for who, own in picks.items()}
            for who, own in picks.items():
                gains = worth[who] - worth[RACE]
                gained = paired_difference(gains, np.random.default_rng(seed))
                success, difference, low, high = (100 * float(figure) for figure in (worth[who].mean(), *gained))
                looked = float(np.median([images for _, images in own]))
                different = len({arm for arm, _ in own})
                yield Chosen(name, budget, who, looked, success, difference, low, high, different, runs)


def compared(rows: Sequence[Chosen]) -> Result:
    """The rows as a table, and how often either is ahead beyond chance."""
    others = [row for row in rows if row.who != RACE]
    behind, ahead = sum(row.high < 0 for row in others), sum(row.low > 0 for row in others)
    verdict = (
        f"For the same forward passes, what PnPXAI chose is behind the race's choice on other images in {behind} of "
        f"{len(others)} comparisons and ahead in {ahead}, the intervals leaving out 0; the others are open."
    )
    table = Measured("Choices for the same forward passes", [asdict(row) for row in rows], columns=COLUMNS)
    return Result("Does PnPXAI choose as well?", verdict, (table,))


COLUMNS = {
    "reward": "what is chosen by, and judged by",
    "forwards": "forward passes that may be spent, those of the explanations included",
    "who": "who chooses",
    "images": "images that it looked at, the median of the runs",
    "success": "share of the other images on which the choice succeeds (percent), the mean of the runs",
    "difference": "the share less the race's",
    "low": "lower end of the difference's paired 95% interval; none where no image differs",
    "high": "its upper end",
    "arms": "different arms that were chosen in the runs",
    "runs": "orders of the images that were played",
}


@dataclass(frozen=True)
class Optimiser:
    """PnPXAI's optimiser, on values that are known.

    Args:
        explainers: Its module of explainers.
        metrics: Its module of metrics.
        optimizer: Its module of the optimiser.
        modality: Its module of what kinds of data there are.
    """

    explainers: ModuleType
    metrics: ModuleType
    optimizer: ModuleType
    modality: ModuleType

    @classmethod
    def load(cls) -> "Optimiser":
        """PnPXAI as it is installed.

        Raises:
            ExperimentError: If it is not.
        """
        try:
            import pnpxai.evaluator.metrics.base as metrics
            import pnpxai.explainers.base as explainers
            from pnpxai.core.modality import modality
            from pnpxai.evaluator import optimizer
        except ImportError as error:
            raise ExperimentError(f"PnPXAI cannot be used ({error}): pip install pnpxai==0.1.3") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # else a line a trial
        return cls(explainers, metrics, optimizer, modality)

    def best(self, values: NDArray[np.float64], arms: ArmSet, *, seed: int) -> int:
        """The arm that PnPXAI takes.

        Args:
            values: Of every arm on the images it is given, shape (images, arms).
            arms: The arms; every combination of their settings' values is one.
            seed: Of Optuna's sampler.
        """
        combinations = [one for one in arms.candidates if isinstance(one, Mapping)]
        places = {tuple(map(str, one.values())): place for place, one in enumerate(combinations)}
        axes = {name: list(dict.fromkeys(str(one[name]) for one in combinations)) for name in combinations[0]}
        recorded = torch.from_numpy(values)

        class Recorded(self.explainers.Explainer):  # type: ignore[name-defined,misc]
            """An explainer whose settings name an arm: its attribution is the arm's place."""

            def attribute(self, inputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002
                arm = places[tuple(getattr(self, name) for name in axes)]
                return torch.full((len(inputs), 1), arm)

            def get_tunables(self) -> Mapping[str, tuple[type, dict[str, Any]]]:
                return {name: (list, {"choices": choices}) for name, choices in axes.items()}

        class Value(self.metrics.Metric):  # type: ignore[name-defined,misc]
            """A metric that looks values up."""

            def evaluate(self, inputs: Tensor, targets: Tensor, attributions: Tensor) -> Tensor:  # noqa: ARG002
                return recorded[inputs, attributions[:, 0]]

        class Plain:
            """A postprocessor that leaves attributions as they are."""

            def get_tunables(self) -> Mapping[str, tuple[type, dict[str, Any]]]:
                return {}

            def __call__(self, attributions: Tensor) -> Tensor:
                return attributions

        network = nn.Linear(1, 1)
        images = torch.arange(len(values))
        objective = self.optimizer.Objective(
            Recorded(network), Plain(), Value(network), self.modality.ImageModality(), images, images
        )
        study = self.optimizer.optimize(objective, "maximize", "tpe", TRIALS, seed=seed)
        best = study.best_trial.user_attrs["explainer"]
        return places[tuple(getattr(best, name) for name in axes)]


def _race(
    name: str,
    parts: NDArray[np.int64],
    successes: NDArray[np.bool_],
    budget: int,
    seed: tuple[int, int],
    arms: ArmSet,
) -> tuple[int, int]:
    """The arm with the highest mean once the race has spent its forward passes, and on how many images.

    Args:
        name: The reward.
        parts: As :func:`~experiments.rewards.parts_of` gives them, the images in the order of the pulls.
        successes: Whether they succeed.
        budget: Forward passes that may be spent.
        seed: Of the policy.
        arms: The arms.
    """
    played = replay(make_policy("race"), successes, successes.size, seed, arms.preference)
    paid = _paid(name, parts, played.arms, budget, shared=True)
    pulls = np.bincount(played.arms[:paid], minlength=len(arms.candidates))
    sums = np.bincount(played.arms[:paid], played.rewards[:paid], minlength=len(arms.candidates))
    means = np.divide(sums, pulls, out=np.full(len(pulls), -1.0), where=pulls > 0)
    running = [arm for arm in arms.preference if pulls[arm] >= pulls.max() - 1]
    return max(running, key=lambda arm: means[arm]), int(pulls.max())


def _affordable(name: str, parts: NDArray[np.int64], budget: int) -> int:
    """How many images PnPXAI can afford: it explains each anew for each arm."""
    arms: int = parts.shape[1]
    return _paid(name, parts, np.tile(np.arange(arms), len(parts)), budget, shared=False) // arms


def _paid(name: str, parts: NDArray[np.int64], pulled: NDArray[np.int64], budget: int, *, shared: bool) -> int:
    """How many of the pulls, from the first on, a budget pays for; arguments as of ``forwards_of``."""
    low, high = 0, len(pulled)
    while low < high:
        middle = (low + high + 1) // 2
        spent = forwards_of(name, parts, pulled[:middle], shared=shared)
        low, high = (middle, high) if spent <= budget else (low, middle - 1)
    return low
