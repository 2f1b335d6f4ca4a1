"""A round whose bandit tries its arms a batch at a time, as ``optuna-tpe`` does.

A *trial* pulls an arm on the first images of the permutation, the same ones for every arm. The arms of a *batch* are
tried together: an image is scored for all of them on one forward pass. When the batch is done, its means are told, and
the next batch is proposed. So what is tried depends on scores and seed alone, and playing the stored pulls again brings
an interrupted round back exactly.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tracer import Settings
from tuner.errors import JobError
from tuner.play.rounds import BanditRound, Pulled
from tuner.play.setting_bandit import SettingBandit
from tuner.policies import BatchBandit, UnexpectedArmError, Verdict, verdict
from tuner.spec.arms import ArmSet
from tuner.spec.reward import Reward


class BatchRound(BanditRound):
    """Plays one bandit: each batch on the images in the order of the permutation.

    Args:
        arms: What it may pull.
        bandit: The bandit.
        images: How many images the job sampled.
        reward: When a pull succeeds.
    """

    def __init__(self, arms: ArmSet, bandit: BatchBandit, images: int, reward: Reward) -> None:
        super().__init__([SettingBandit(arms, bandit)], images, reward)
        self._arms = arms
        self._bandit = bandit
        self._batch = bandit.batch
        self._position = 0  # of the next image of the batch
        self._asked: set[int] = set()

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Settings, ...]]]:  # noqa: ARG002 (a batch is the need)
        """The next images of the batch's trials, with the arms that were not scored on them."""
        bandit = self._bandit
        open_ = np.flatnonzero(~self.table.quarantined[self._position :]) + self._position
        for position in open_[: bandit.trial_images - bandit.seen].tolist():
            if room > 0 and position not in self._asked:
                self._asked.add(position)
                settings = self._missing(position)
                if settings:
                    room -= 1
                    yield position, settings

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again.

        Raises:
            JobError: If the arm is not what is proposed here.
        """
        try:
            super().replay(pull)
        except UnexpectedArmError as error:
            raise JobError(
                "the recorded trials are not those that Optuna suggests here: install the versions of optuna and numpy "
                "that the job began with, or start it anew under another name"
            ) from error
        self._begin_batch()
        pulls = {self._bandit.pulls_of(arm) for arm in self._batch}
        self._position = pull.position + (len(pulls) == 1)

    def advance(self) -> list[Pulled]:
        """Pull as far as the scores go, image by image; returns the pulls made."""
        pulls: list[Pulled] = []
        bandit = self._bandit
        self.table.advance()
        while not bandit.done:
            if bandit.seen >= bandit.trial_images or self._position >= self.table.images:
                bandit.end_batch()
                self._begin_batch()
                continue
            if not self.table.quarantined[self._position]:
                if self._missing(self._position):
                    break
                seen = bandit.seen
                while bandit.seen == seen:
                    pulls.append(self._pull(0, bandit.choose(), self._position))
            self._position += 1
        return pulls

    def verdicts(self) -> list[Verdict]:
        """What may be concluded about the arms that were tried.

        The best arm of all is among those that may be best, or was not tried, with the verdict's confidence.
        """
        bandit = self._bandit
        bandit.images = self.table.images - int(self.table.quarantined.sum())
        end = verdict(bandit)
        pulls = bandit.pulls.tolist()
        tried = [arm for arm in range(bandit.arms) if pulls[arm]]
        may_be_best = tuple(arm for arm in end.may_be_best if pulls[arm])
        usable = bandit.usable_pulls.tolist()
        known = all(usable[arm] >= bandit.images for arm in tried)
        return [replace(end, may_be_best=may_be_best, confidence=1.0 if known else end.confidence)]

    def _begin_batch(self) -> None:
        """Begin at the first image where the bandit opened a new batch."""
        if self._bandit.batch != self._batch:
            self._batch = self._bandit.batch
            self._position = 0
            self._asked.clear()

    def _missing(self, position: int) -> tuple[Settings, ...]:
        """What the arms of the batch without a score on an image trace with."""
        return tuple(self._arms.settings[arm] for arm in self._batch if np.isnan(self.table.values[position, arm]))
