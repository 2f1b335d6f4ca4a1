"""Rewards held against each other: settings chosen by each on some images, judged by every other on others.

What every reward gives every arm on an image is recorded once; everything else is read from these values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.compare import paired_difference
from experiments.errors import SettingError
from experiments.methods import Method, Subject, Variants
from experiments.records import Found
from experiments.result import Measured, Result
from storage.rows import describe
from tracer import Settings, TraceConfig
from tracer.reading import Reading
from tuner.datasets import LabelledImage
from tuner.policies import make_policy, replay
from tuner.rewards import Judge, Scene, make_judge
from tuner.spec.arms import ArmSet
from tuner.spec.fields import candidates
from tuner.spec.grid import make_grid
from tuner.spec.reward import (
    ConfidenceReward,
    DeletionReward,
    InsertionReward,
    IouReward,
    PointingReward,
    Reward,
)

POINT = 0.01
"""An arm is good enough where its mean reward is this far below the best arm's, at most."""

SHARED = ("uniform", "race")
"""Policies that pull all open arms on an image: one explanation of it serves them all (``scoring: all``)."""

POLICIES = (*SHARED, "ucb1", "thompson")

NOTHING = "nothing"
"""Stands for a choice without any reward."""


@dataclass(frozen=True)
class Compared:
    """A reward, and how many forward passes judging costs.

    Args:
        reward: At its default threshold.
        an_arm: For each arm of an image; arms that leave the same part of it count once.
        an_image: For each image, whatever its arms.
    """

    reward: Reward
    an_arm: int
    an_image: int


_STEPS = InsertionReward().steps
REWARDS = {
    "iou": Compared(IouReward(), 0, 0),
    "pointing": Compared(PointingReward(), 0, 0),
    "confidence, box": Compared(ConfidenceReward(), 1, 1),
    "confidence, half": Compared(ConfidenceReward(keep=0.5), 1, 1),
    "insertion": Compared(InsertionReward(), _STEPS - 1, 2),
    "deletion": Compared(DeletionReward(), _STEPS - 1, 2),
}
"""The rewards that are compared."""


def grid(depths: Sequence[str], spreads: Sequence[str], cuts: Sequence[str]) -> ArmSet:
    """The arms that are compared: combinations of read-offs of excitation backpropagation.

    Raises:
        SettingError: If a value is none of its setting's.
    """
    base = Settings(config=TraceConfig.excitation_backprop()).changed({"box": "patch"})
    named = {"depth": depths, "spread": spreads, "cut": cuts}
    try:
        axes = candidates({name: [_value(text) for text in texts] for name, texts in named.items()})
        return make_grid(axes, base).arms
    except ValueError as error:
        raise SettingError(str(error)) from error


def _value(text: str) -> int | float | str:
    """A candidate as YAML would read it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


METHOD = "excitation"
"""The method whose read-offs are the arms."""


Looked = tuple[Mapping[str, Judge], list[tuple[Scene, list[Reading]]]]
"""The judge of each reward, and each image of a batch with what the arms read of it."""


@dataclass(frozen=True, eq=False)
class Rewards:
    """What every reward gives every arm.

    Args:
        arms: The arms.
    """

    arms: ArmSet

    name: ClassVar = "rewards"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {
            "arms": [describe(candidate) for candidate in self.arms.candidates],
            "rewards": {name: compared.reward.model_dump() for name, compared in REWARDS.items()},
        }

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Looked:
        """Every image with what each arm reads of it, and the judges."""
        pixels = [image.open() for image in images]
        readings = subject.tracer.readings(pixels, self.arms.settings)
        scenes = [Scene(image, picture, subject.model) for image, picture in zip(images, pixels, strict=True)]
        judges = {name: make_judge(compared.reward, subject.model) for name, compared in REWARDS.items()}
        return judges, list(zip(scenes, readings, strict=True))

    def record(self, looked: Looked, _: Method, __: Variants) -> list[dict[str, ArrayLike]]:
        """The value of every arm by every reward's name."""
        judges, read = looked
        return [{name: judge(scene, readings) for name, judge in judges.items()} for scene, readings in read]


@dataclass(frozen=True, eq=False)
class Table:
    """What every reward gave every arm on every image.

    Args:
        arms: What each arm sets.
        values: By reward, float64 of shape (images, arms).
    """

    arms: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, found: Found, arms: ArmSet) -> "Table":
        """The table of an experiment's records."""
        names = tuple(describe(candidate) for candidate in arms.candidates)
        return cls(names, {name: found.values(METHOD, name) for name in REWARDS})

    def successes(self, reward: str) -> NDArray[np.bool_]:
        """Whether each arm succeeds on each image, shape (images, arms)."""
        return self.values[reward] >= REWARDS[reward].reward.at


@dataclass(frozen=True)
class Transferred:
    """What the settings that one reward chooses are worth to another, on images that they were not chosen on.

    Args:
        judged_by: The reward that judges.
        chosen_by: The reward that chose, or :data:`NOTHING`: the arm nearest to the defaults.
        arm: What was chosen; of equal arms the one nearest to the defaults.
        images: How many images it was judged on.
        success: Share of them on which it succeeds, percent.
        difference: The share less that of the arm that the judging reward itself chose.
        low: Lower end of the difference's paired 95% interval.
        high: Upper end.
    """

    judged_by: str
    chosen_by: str
    arm: str
    images: int
    success: float
    difference: float
    low: float
    high: float


def transfer(table: Table, tuned_on: int, arms: ArmSet) -> list[Transferred]:
    """Every reward's choice on the first images of the table, judged by every reward on the others.

    Args:
        table: The values.
        tuned_on: How many images are for choosing.
        arms: The arms of the table.
    """
    chosen = {NOTHING: arms.preference[0]} | {
        name: _best(table.successes(name)[:tuned_on], arms.preference) for name in REWARDS
    }
    rows = []
    for judge in REWARDS:
        hits = table.successes(judge)[tuned_on:].astype(np.float64)
        for chooser, arm in chosen.items():
            gains = hits[:, arm] - hits[:, chosen[judge]]
            shown = [100 * figure for figure in (float(hits[:, arm].mean()), *paired_difference(gains, None))]
            rows.append(Transferred(judge, chooser, table.arms[arm], len(hits), *shown))
    return rows


def transferred(rows: Sequence[Transferred], *, by: str = "iou") -> Result:
    """The rows as a table, and which reward chose best in the eyes of one.

    Args:
        rows: Of :func:`transfer`.
        by: The reward whose judgement is told; its own choice is left out of the comparison.
    """
    judged = {row.chosen_by: row for row in rows if row.judged_by == by}
    others = [row for row in judged.values() if row.chosen_by not in {by, NOTHING}]
    best = max(others, key=lambda row: row.success)
    verdict = (
        f"Judged by {by} on {best.images} other images, the settings that {best.chosen_by} chose succeed on "
        f"{best.success:.0f}%, the best of the rewards beside {by} itself ({judged[by].success:.0f}%); the arm nearest "
        f"to the defaults on {judged[NOTHING].success:.0f}%."
    )
    table = Measured(
        "Choices of each reward, judged by every other", [asdict(row) for row in rows], columns=TRANSFERRED
    )
    return Result("Which reward chooses well?", verdict, (table,))


@dataclass(frozen=True)
class Reached:
    """When a policy's choice is good enough for good: its mean is within a point of the best arm's until the end.

    Args:
        reward: What pulls are rewarded for.
        policy: The policy.
        pulls: Pulls until then, the median of the runs.
        forwards: Forward passes until then, those of the explanations included, the median of the runs.
        of_all: Those forward passes as a share of what the whole table costs by ``scoring: all``.
        runs: How many orders of the images were played.
    """

    reward: str
    policy: str
    pulls: float
    forwards: float
    of_all: float
    runs: int


def reach(table: Table, arms: ArmSet, runs: int, seed: int) -> Iterator[Reached]:
    """How many forward passes each policy needs until its choice is good enough, for every reward.

    The choice is the arm with the highest mean reward so far; arms that were not pulled have none.
    """
    for name in REWARDS:
        successes = table.successes(name)
        best = successes.mean(axis=0)
        good = best >= best.max() - POINT - 1e-12
        parts = parts_of(table.values[name])
        for policy in POLICIES:
            found = []
            for run in range(runs):
                order = np.random.default_rng([seed, run]).permutation(len(successes))
                played = replay(make_policy(policy), successes[order], successes.size, (seed, run), arms.preference)
                until = _settled(played.arms, played.rewards, good)
                found.append((until, forwards_of(name, parts[order], played.arms[:until], shared=policy in SHARED)))
            pulls, forwards = np.median(np.array(found, dtype=np.float64), axis=0)
            whole = forwards_of(name, parts, np.tile(np.arange(parts.shape[1]), len(parts)), shared=True)
            yield Reached(name, policy, float(pulls), float(forwards), float(forwards) / whole, runs)


def reached(rows: Sequence[Reached]) -> Result:
    """The rows as a table, and which policy most often needs the fewest forward passes."""
    rewards = dict.fromkeys(row.reward for row in rows)
    fewest = {name: min(row.forwards for row in rows if row.reward == name) for name in rewards}
    wins = {
        policy: sum(row.forwards == fewest[row.reward] for row in rows if row.policy == policy) for policy in POLICIES
    }
    best = max(wins, key=lambda policy: wins[policy])
    verdict = f"{best} needs the fewest forward passes, or as few as any, for {wins[best]} of {len(rewards)} rewards."
    table = Measured("Forward passes until the choice is good", [asdict(row) for row in rows], columns=REACHED)
    return Result("How many forward passes does a good choice take?", verdict, (table,))


TRANSFERRED = {
    "judged_by": "the reward that judges",
    "chosen_by": f"the reward that chose, or {NOTHING}: the arm nearest to the defaults",
    "arm": "what was chosen",
    "images": "images it was judged on",
    "success": "share of them on which the judging reward succeeds (percent)",
    "difference": "the share less that of the judging reward's own choice",
    "low": "lower end of the difference's paired 95% interval; none where no image differs",
    "high": "its upper end",
}

REACHED = {
    "reward": "what pulls are rewarded for",
    "policy": "the policy",
    "pulls": "pulls until its choice is within a point of the best for good, the median of the runs",
    "forwards": "forward passes until then, those of the explanations included, the median of the runs",
    "of_all": "those as a share of what all arms on all images cost",
    "runs": "orders of the images that were played",
}


def parts_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """A number for each (image, arm), equal for arms of an image that leave the same part of it: their values are."""
    return np.array([np.unique(row, return_inverse=True)[1] for row in values], dtype=np.int64)


def forwards_of(name: str, parts: NDArray[np.int64], pulled: NDArray[np.int64], *, shared: bool) -> int:
    """Forward passes that pulls cost: the n-th pull of an arm is on the n-th image.

    Args:
        name: The reward.
        parts: As :func:`parts_of` gives them, the images in the order of the pulls.
        pulled: The arm of each pull.
        shared: Whether an image is explained once for all arms, or anew for each pull.
    """
    seen: dict[int, int] = {}
    judged: set[tuple[int, int]] = set()
    images: set[int] = set()
    for arm in pulled.tolist():
        image = seen.get(arm, 0)
        seen[arm] = image + 1
        images.add(image)
        judged.add((image, int(parts[image, arm])))
    cost = REWARDS[name]
    explained = len(images) if shared else len(pulled)
    return explained + cost.an_arm * len(judged) + cost.an_image * len(images)


def _best(successes: NDArray[np.bool_], preference: Sequence[int]) -> int:
    """The arm with the most successes; of equal ones the nearest to the defaults."""
    totals = successes.sum(axis=0)
    return max(preference, key=lambda arm: totals[arm])


def _settled(pulled: NDArray[np.int64], rewards: NDArray[np.bool_], good: NDArray[np.bool_]) -> int:
    """The number of pulls from which on the arm with the highest mean is always a good one."""
    counts, sums = np.zeros(len(good)), np.zeros(len(good))
    means = np.full(len(good), -1.0)
    last_bad = 0
    for t, (arm, reward) in enumerate(zip(pulled.tolist(), rewards.tolist(), strict=True), 1):
        counts[arm] += 1
        sums[arm] += reward
        means[arm] = sums[arm] / counts[arm]
        if not good[means.argmax()]:
            last_bad = t
    return min(last_bad + 1, len(pulled))
