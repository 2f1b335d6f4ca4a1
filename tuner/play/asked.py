"""``scoring: asked``: an image is scored for just the arm that a bandit chose."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tracer import Settings
from tuner.play.rounds import BanditRound, NewValue, Pulled
from tuner.play.setting_bandit import SettingBandit
from tuner.spec.reward import Reward


class AskedRound(BanditRound):
    """An arm is chosen first, then its next image is asked for; pulls in flight count as pulls.

    An arm takes the images in the order of the permutation, and is pulled in that order too: an answer that comes early
    waits for those to the images before it. So every two arms are compared on the first images that both saw, whichever
    images take long.
    """

    def __init__(self, bandits: Sequence[SettingBandit], images: int, reward: Reward) -> None:
        super().__init__(bandits, images, reward)
        self._taken = np.zeros(self.table.values.shape, dtype=bool)  # the images that each arm was chosen for
        self._queues: dict[tuple[int, int], deque[int]] = defaultdict(deque)
        """By bandit and arm: the images that it was chosen for and not pulled on yet, in order."""
        self._asked: set[tuple[int, Settings]] = set()  # what workers were asked for and have not answered
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
        one.bandit.begin(arm)
        self._queues[index, arm].append(position)
        self._pull_known(index, arm)
        asked = position, one.arms.settings[arm]
        if asked in self._asked or not np.isnan(self.table.values[position, column]):
            return None
        self._asked.add(asked)
        return position, (asked[1],)

    def _pull_known(self, index: int, arm: int) -> None:
        """Pull an arm on the images that it was chosen for, up to the first whose score is not known."""
        queue = self._queues[index, arm]
        while queue and not np.isnan(self.table.values[queue[0], self._first[index] + arm]):
            self.bandits[index].bandit.withdraw(arm)
            self._pulls.append(self._pull(index, arm, queue.popleft()))

    def take(self, position: int, settings: Sequence[Settings], values: Iterable[float]) -> list[NewValue]:
        """Take the scores of an image, and make the pulls that waited for them."""
        new = super().take(position, settings, values)
        for one in settings:
            self._asked.discard((position, one))
            for column in self._columns[one]:
                self._pull_known(*self._owners[column])
        return new

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again."""
        super().replay(pull)
        self._taken[pull.position, self._first[pull.bandit] + pull.arm] = True

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm; pulls that waited for it are taken back."""
        super().quarantine(position)
        self._asked = {asked for asked in self._asked if asked[0] != position}
        for (index, arm), queue in self._queues.items():
            if position in queue:
                queue.remove(position)
                self.bandits[index].bandit.withdraw(arm)
                self._pull_known(index, arm)

    def advance(self) -> list[Pulled]:
        """The pulls made since the last call."""
        usable = self.table.images - int(self.table.quarantined.sum())
        for one in self.bandits:
            one.bandit.images = usable
        pulls, self._pulls = self._pulls, []
        return pulls
