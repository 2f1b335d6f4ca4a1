"""A round of a job: its bandits pull arms, as far as the scores go that workers have brought.

A *round* plays each bandit of a job once to its end. Workers score images in whatever order they like; the round keeps
their scores in a table, and a pull reads its reward from there. :class:`Round` is what the controller sees; the check
(:class:`tuner.play.check.CheckRound`) is one without bandits. There are three ways to play a :class:`BanditRound`, that
differ in what they ask workers for, and in when a bandit may choose:

- :class:`tuner.play.ahead.AheadRound` (``scoring: all``): every image for all arms that may still be pulled;
- :class:`tuner.play.asked.AskedRound` (``scoring: asked``): an image for just the arm that was chosen;
- :class:`tuner.play.batches.BatchRound`: the images of a trial for the arms that are tried together.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from storage.models import Subject
from tracer import Settings
from tuner.play.setting_bandit import SettingBandit
from tuner.play.table import ScoreTable
from tuner.policies import Verdict, verdict
from tuner.spec.reward import Reward


class Pulled(NamedTuple):
    """A pull: the ``t``-th of a bandit (from 1), of an arm (its rank) on an image; the value read, and the reward."""

    bandit: int
    t: int
    arm: int
    position: int
    value: float
    success: bool


class NewValue(NamedTuple):
    """A score that was not known before: the value of an arm of a bandit on the image just taken."""

    bandit: int
    arm: int
    value: float


class CheckedValue(NamedTuple):
    """What a subject of the check came to on the image just taken."""

    subject: Subject
    value: float


class Records(Protocol):
    """Keeps what a round learns; a :class:`tuner.play.journal.Journal` does."""

    def add_scores(self, position: int, scores: Sequence[NewValue]) -> None:
        """Keep the scores of an image that were not known before."""
        ...

    def add_checks(self, position: int, values: Sequence[CheckedValue]) -> None:
        """Keep what an image of the check came to."""
        ...


class Round(ABC):
    """What the controller plays: images are asked for and answered until it is done."""

    table: ScoreTable
    """What is known of its images."""
    bandits: Sequence[SettingBandit] = ()
    """Those that pull in it; the check has none."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether it came to its end."""

    @abstractmethod
    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Settings, ...]]]:
        """The images to ask workers for next, each with the settings to score it with.

        Args:
            room: How many images may be asked for, at most.
            ahead: How many images beyond what is needed next.
        """

    @abstractmethod
    def record(self, records: Records, position: int, settings: Sequence[Settings], values: Iterable[float]) -> None:
        """Take the scores of an image, and have those that are new kept."""

    @abstractmethod
    def quarantine(self, position: int) -> None:
        """Leave an image out."""

    @abstractmethod
    def advance(self) -> list[Pulled]:
        """Go as far as the scores go; returns the pulls made."""


class BanditRound(Round):
    """Bandits that are played together on the same images.

    Every arm of every bandit has a column in the table of scores. Arms of different bandits that trace with the same
    settings share what a worker answers: the base is usually among the candidates of each.

    Args:
        bandits: The bandits; :class:`Pulled` counts them in this order.
        images: How many images the job sampled.
        reward: When a pull succeeds.
    """

    def __init__(self, bandits: Sequence[SettingBandit], images: int, reward: Reward) -> None:
        self.bandits = bandits
        self._reward = reward
        self._owners = [(index, arm) for index, one in enumerate(bandits) for arm in range(one.bandit.arms)]
        """Bandit and arm of each column."""
        sizes = [one.bandit.arms for one in bandits]
        self._first = [sum(sizes[:index]) for index in range(len(sizes))]
        """The first column of each bandit."""
        self._columns: dict[Settings, list[int]] = defaultdict(list)
        for column, (index, arm) in enumerate(self._owners):
            self._columns[bandits[index].arms.settings[arm]].append(column)
        self.table = ScoreTable(images, len(self._owners))

    @property
    def done(self) -> bool:
        """Whether every bandit has ended."""
        return all(one.bandit.done for one in self.bandits)

    def record(self, records: Records, position: int, settings: Sequence[Settings], values: Iterable[float]) -> None:
        """Take the scores of an image, and have those that are new kept."""
        records.add_scores(position, self.take(position, settings, values))

    def take(self, position: int, settings: Sequence[Settings], values: Iterable[float]) -> list[NewValue]:
        """Take the scores of an image; returns those that are new, one for each arm that traces with the settings."""
        new = []
        for one, value in zip(settings, values, strict=True):
            for column in self._columns[one]:
                if np.isnan(self.table.values[position, column]):
                    self.table.values[position, column] = value
                    new.append(NewValue(*self._owners[column], float(value)))
        self.table.scored[position] = True
        return new

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm, also for those that were pulled on it before."""
        self.table.quarantined[position] = True
        for one in self.bandits:
            one.bandit.leave_out(position)

    def verdicts(self) -> list[Verdict]:
        """What may be concluded from the pulls so far, a verdict a bandit."""
        return [verdict(one.bandit) for one in self.bandits]

    def restore(self, quarantined: Sequence[bool], values: NDArray[np.float64]) -> None:
        """Put back what was known when the job was interrupted.

        Args:
            quarantined: Whether each image is left out.
            values: The scores, NaN where unknown, float64 of shape (images, arms of all bandits).
        """
        self.table.restore(quarantined, values)
        for one in self.bandits:
            for position in np.flatnonzero(quarantined).tolist():
                one.bandit.leave_out(position)

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again; call it for each, in the order in which they were made."""
        self.bandits[pull.bandit].bandit.record(pull.arm, success=pull.success, image=pull.position)

    def _pull(self, index: int, arm: int, position: int) -> Pulled:
        """Pull an arm of a bandit on an image whose score is known."""
        bandit = self.bandits[index].bandit
        value = float(self.table.values[position, self._first[index] + arm])
        success = self._reward.succeeds(value)
        bandit.record(arm, success=success, image=position)
        return Pulled(index, bandit.pulled, arm, position, value, success)
