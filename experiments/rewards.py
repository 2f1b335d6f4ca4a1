"""Rewards held against each other: settings chosen by each on some images, judged by every other on others.

A *table* holds what every reward gives every arm on every image. It is made once for a network, in pieces if need be,
and kept in a file; everything else is read from it.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from experiments.errors import SettingError
from storage.rows import describe
from tracer import Model, Settings, TraceConfig, Tracer
from tracer.files import open_regular, write_atomically
from tuner.datasets import LabelledImage
from tuner.paired import exact_interval
from tuner.policies import make_policy, replay
from tuner.rewards import Scene, make_judge
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


@dataclass(frozen=True, eq=False)
class Table:
    """What every reward gives every arm on every image.

    Args:
        images: The images' ids.
        arms: What each arm sets.
        values: By reward, float64 of shape (images, arms).
    """

    images: tuple[str, ...]
    arms: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]

    def save(self, path: Path) -> None:
        """Write the table whole, or not at all."""
        content = io.BytesIO()
        parts: dict[str, Any] = {"images": np.array(self.images), "arms": np.array(self.arms), **self.values}
        np.savez_compressed(content, **parts)
        write_atomically(path, content.getvalue(), make_folder=True)

    @classmethod
    def load(cls, path: Path) -> "Table":
        """The table of a file.

        Raises:
            SettingError: If the file holds none.
        """
        try:
            with open_regular(path) as file, np.load(file, allow_pickle=False) as stored:
                values = {name: stored[name] for name in REWARDS}
                return cls(tuple(stored["images"].tolist()), tuple(stored["arms"].tolist()), values)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise SettingError(f"--table: {path} holds no table of rewards ({error}); name another file") from error

    def successes(self, reward: str) -> NDArray[np.bool_]:
        """Whether each arm succeeds on each image, shape (images, arms)."""
        return self.values[reward] >= REWARDS[reward].reward.at


def fill(model: Model, images: Sequence[LabelledImage], arms: ArmSet, known: Table | None = None) -> Iterator[Table]:
    """The table of a network, image by image: each is the one before with another image.

    Args:
        model: The network.
        images: The images, in the order of the table; those that ``known`` holds first.
        arms: The arms.
        known: What was made before.

    Raises:
        SettingError: If what is known is of other images or arms.
    """
    names = tuple(describe(candidate) for candidate in arms.candidates)
    ids = tuple(image.id for image in images)
    done = 0 if known is None else len(known.images)
    if known is not None and (known.arms != names or known.images != ids[:done]):
        raise SettingError("--table holds other images or arms: give those that it was made with, or another file")
    judges = {name: make_judge(compared.reward, model) for name, compared in REWARDS.items()}
    tracer = Tracer(model)
    values = {name: [*known.values[name]] if known else [] for name in REWARDS}
    for number, image in enumerate(images[done:], done + 1):
        pixels = image.open()
        scene = Scene(image, pixels, model)
        readings = tracer.readings([pixels], arms.settings)[0]
        for name, judge in judges.items():
            values[name].append(judge(scene, readings))
        yield Table(ids[:number], names, {name: np.array(rows) for name, rows in values.items()})


@dataclass(frozen=True)
class Transferred:
    """What the settings that one reward chooses are worth to another, on images that they were not chosen on.

    Args:
        judged_by: The reward that judges.
        chosen_by: The reward that chose, or ``nothing``: the arm nearest to the defaults.
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


def transfer(table: Table, tuned_on: Sequence[int], evaluated_on: Sequence[int], arms: ArmSet) -> list[Transferred]:
    """Every reward's choice on some images of the table, judged by every reward on others."""
    chosen = {"nothing": arms.preference[0]} | {
        name: _best(table.successes(name)[list(tuned_on)], arms.preference) for name in REWARDS
    }
    rows = []
    for judge in REWARDS:
        hits = table.successes(judge)[list(evaluated_on)].astype(np.float64)
        for chooser, arm in chosen.items():
            gains = hits[:, arm] - hits[:, chosen[judge]]
            shown = [
                100 * figure for figure in (float(hits[:, arm].mean()), float(gains.mean()), *exact_interval(gains))
            ]
            rows.append(Transferred(judge, chooser, table.arms[arm], len(hits), *shown))
    return rows


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
        parts = _parts(table.values[name])
        for policy in POLICIES:
            found = []
            for run in range(runs):
                order = np.random.default_rng([seed, run]).permutation(len(successes))
                played = replay(make_policy(policy), successes[order], successes.size, (seed, run), arms.preference)
                until = _settled(played.arms, played.rewards, good)
                found.append((until, _forwards(name, parts[order], played.arms[:until], shared=policy in SHARED)))
            pulls, forwards = np.median(np.array(found, dtype=np.float64), axis=0)
            whole = _forwards(name, parts, np.tile(np.arange(parts.shape[1]), len(parts)), shared=True)
            yield Reached(name, policy, float(pulls), float(forwards), float(forwards) / whole, runs)


def _best(successes: NDArray[np.bool_], preference: Sequence[int]) -> int:
    """The arm with the most successes; of equal ones the nearest to the defaults."""
    totals = successes.sum(axis=0)
    return max(preference, key=lambda arm: totals[arm])


def _parts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """A number for each (image, arm), equal for arms of an image that leave the same part of it: their values are."""
    return np.array([np.unique(row, return_inverse=True)[1] for row in values], dtype=np.int64)


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


def _forwards(name: str, parts: NDArray[np.int64], pulled: NDArray[np.int64], *, shared: bool) -> int:
    """Forward passes that pulls cost: the n-th pull of an arm is on the n-th image.

    Args:
        name: The reward.
        parts: As :func:`_parts` gives them, the images in the order of the pulls.
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


def interleaved(first: Iterable[LabelledImage], second: Iterable[LabelledImage]) -> list[LabelledImage]:
    """The images of two halves in turn, so that a table which is not full yet holds as many of both."""
    pairs = list(zip(first, second, strict=True))
    return [image for pair in pairs for image in pair]
