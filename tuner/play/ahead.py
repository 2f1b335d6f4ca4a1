"""``scoring: all``: images are scored ahead of the bandits' need, for every arm that may still be pulled."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tracer import Settings
from tuner.play.rounds import BanditRound, Pulled
from tuner.play.setting_bandit import SettingBandit
from tuner.policies import Bandit
from tuner.spec.reward import Reward


class AheadRound(BanditRound):
    """Images are asked for in the order of the permutation, each once, with every arm that may still be pulled.

    A bandit chooses only when it is known for every arm whether it has an image left, and what that image is worth to
    it. So the sequence of pulls depends on scores and seed alone, never on the order in which workers answer.
    """

    def __init__(self, bandits: Sequence[SettingBandit], images: int, reward: Reward) -> None:
        super().__init__(bandits, images, reward)
        self._asked = 0  # the first position that workers were not asked for
        self._open = np.zeros(len(self._owners), dtype=np.bool_)
        """Whether an arm, by column, might still be pulled when workers were asked last."""
        self._open_settings: tuple[Settings, ...] = ()
        """What those arms trace with, each once."""

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Settings, ...]]]:
        """The next images of the permutation, at most ``ahead`` of what the most pulled arm needs next."""
        if room <= 0:
            return
        settings = self._look_for_open_settings()
        most = max((one.bandit.most for one in self.bandits if not one.bandit.done), default=0)
        usable = self.table.usable
        need = usable[most] if most < len(usable) else self.table.frontier
        while room > 0 and self._asked < min(need + ahead, self.table.images):
            if not self.table.resolved(self._asked):
                room -= 1
                yield self._asked, settings
            self._asked += 1

    def restore(self, quarantined: Sequence[bool], values: NDArray[np.float64]) -> None:
        """Put back what was known when the job was interrupted."""
        super().restore(quarantined, values)
        self.table.advance()

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again, at the same knowledge of how many images there are."""
        self._may_choose(self.bandits[pull.bandit].bandit)
        super().replay(pull)

    def advance(self) -> list[Pulled]:
        """Pull as far as the scores go; returns the pulls made."""
        pulls = []
        self.table.advance()
        for index, one in enumerate(self.bandits):
            bandit = one.bandit
            while self._may_choose(bandit) and not bandit.done:
                arm = bandit.choose()
                pulls.append(self._pull(index, arm, self.table.usable[bandit.pulls_of(arm)]))
        return pulls

    def _may_choose(self, bandit: Bandit) -> bool:
        """Whether it is known for every arm if it has an image left; the number of images is settled when one has not.

        Not before, though it may be known before: when it is must not depend on the order of answers.
        """
        if bandit.most < len(self.table.usable):
            return True
        if self.table.complete:
            bandit.images = len(self.table.usable)
        return self.table.complete

    def _look_for_open_settings(self) -> tuple[Settings, ...]:
        """What the arms that may still be pulled trace with; gathered anew where an arm is out or a bandit done."""
        open_ = np.concatenate([one.bandit.alive & (not one.bandit.done) for one in self.bandits])
        if not np.array_equal(open_, self._open):
            self._open = open_
            self._open_settings = tuple(one for one, columns in self._columns.items() if open_[columns].any())
        return self._open_settings
