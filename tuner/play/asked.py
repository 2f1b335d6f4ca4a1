"""``scoring: asked``: an image is scored for just the arm that a bandit chose."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tracer import Settings
from tuner.play.rounds import NewIou, Pulled, Round
from tuner.play.setting_bandit import SettingBandit
from tuner.spec.job import RewardSpec


class AskedRound(Round):
    """An arm is chosen first, then its next image is asked for; pulls in flight count as pulls.

    An arm takes the images in the order of the permutation, but its pulls count in the order in which they came back.
    """

    def __init__(self, bandits: Sequence[SettingBandit], images: int, reward: RewardSpec) -> None:
        super().__init__(bandits, images, reward)
        self._taken = np.zeros(self.table.ious.shape, dtype=bool)  # the images that each arm was chosen for
        self._waiting: dict[tuple[int, Settings], list[tuple[int, int]]] = {}  # bandits and arms, by what they wait for
        self._pulls: list[Pulled] = []

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Settings, ...]]]:  # noqa: ARG002 (never ahead)
        """The arms chosen next, each on its next image, the bandits in turn."""
        progress = True
        while room > 0 and progress:
            progress = False
            for index, one in enumerate(self.bandits):
                if room == 0 or not one.bandit.free:
                    continue
                progress = True
                asked = self._choose(index)
                if asked is not None:
                    room -= 1
                    yield asked

    def _choose(self, index: int) -> tuple[int, tuple[Settings, ...]] | None:
        """Let a bandit choose; what to ask for, or ``None`` where that is known or asked for already."""
        one = self.bandits[index]
        arm = one.bandit.choose()
        column = self._first[index] + arm
        position = int(np.argmin(self._taken[:, column] | self.table.quarantined))
        self._taken[position, column] = True
        if not np.isnan(self.table.ious[position, column]):
            self._pulls.append(self._pull(index, arm, position))
            return None
        one.bandit.begin(arm)
        settings = one.arms.settings[arm]
        waiting = self._waiting.setdefault((position, settings), [])
        waiting.append((index, arm))
        return (position, (settings,)) if len(waiting) == 1 else None

    def take(self, position: int, settings: Sequence[Settings], ious: Iterable[float]) -> list[NewIou]:
        """Take the scores of an image, and make the pulls that waited for them."""
        new = super().take(position, settings, ious)
        for one in settings:
            for index, arm in self._waiting.pop((position, one), ()):
                self.bandits[index].bandit.withdraw(arm)
                self._pulls.append(self._pull(index, arm, position))
        return new

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again."""
        super().replay(pull)
        self._taken[pull.position, self._first[pull.bandit] + pull.arm] = True

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm; pulls that waited for it are taken back."""
        super().quarantine(position)
        for key in [key for key in self._waiting if key[0] == position]:
            for index, arm in self._waiting.pop(key):
                self.bandits[index].bandit.withdraw(arm)

    def advance(self) -> list[Pulled]:
        """The pulls made since the last call."""
        usable = self.table.images - int(self.table.quarantined.sum())
        for one in self.bandits:
            one.bandit.images = usable
        pulls, self._pulls = self._pulls, []
        return pulls
