"""A round of a job: bandits, usually one per weight, fed from the scores that workers bring in whatever order.

Two ways to play it: :class:`AheadRound` (``scoring: all``) asks for every arm that may still be pulled on each image,
in the order of the permutation; :class:`AskedRound` (``scoring: asked``) asks for just the arm pulled. The joint search
has a third (:mod:`tuner.play.joint`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tracer import Alpha
from tuner.play.contest import Contest
from tuner.play.table import ScoreTable
from tuner.policies import Bandit, Verdict, verdict


class Pulled(NamedTuple):
    """A pull: the ``t``-th of a weight (from 1), of an arm (its rank), on an image, and the IOU it read."""

    weight: int
    t: int
    arm: int
    position: int
    iou: float


class NewIou(NamedTuple):
    """A score that was not known before: the IOU of an arm of a weight on the image just taken."""

    weight: int
    arm: int
    iou: float


class Round(Protocol):
    """What the controller plays."""

    contests: Sequence[Contest]
    table: ScoreTable

    @property
    def done(self) -> bool:
        """Whether every bandit has ended."""
        ...

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Alpha, ...]]]:
        """The images to ask workers for next, each with its weights: at most ``room``, ``ahead`` beyond the need."""
        ...

    def take(self, position: int, alphas: Sequence[Alpha], ious: Iterable[float]) -> list[NewIou]:
        """Take an image's scores; returns those that were new, for every arm that stands for the weights."""
        ...

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm."""
        ...

    def advance(self) -> list[Pulled]:
        """Pull as far as the scores go."""
        ...

    def verdicts(self) -> list[Verdict]:
        """What may be concluded from the pulls so far, a verdict a bandit."""
        ...

    def restore(self, quarantined: Sequence[bool], ious: NDArray[np.float64]) -> None:
        """Put back what was known when the job was interrupted: images left out, scores (images, arms)."""
        ...

    def replay(self, pull: Pulled) -> None:
        """Make a pull again that was recorded before, in the order in which they were made."""
        ...


@dataclass
class ScoredRound:
    """What both ways of playing share: which column of the table is which arm of which weight."""

    contests: Sequence[Contest]
    images: int
    threshold: float
    table: ScoreTable = field(init=False)

    def __post_init__(self) -> None:
        sizes = [len(contest.alphas) for contest in self.contests]
        self._first = [sum(sizes[:index]) for index in range(len(sizes))]
        self._owners = [(weight, arm) for weight, size in enumerate(sizes) for arm in range(size)]
        self._columns: dict[Alpha, list[int]] = defaultdict(list)
        for column, (weight, arm) in enumerate(self._owners):
            self._columns[self.contests[weight].alphas[arm]].append(column)
        self.table = ScoreTable(self.images, len(self._owners))

    @property
    def done(self) -> bool:
        """Whether every bandit has ended."""
        return all(contest.bandit.done for contest in self.contests)

    def take(self, position: int, alphas: Sequence[Alpha], ious: Iterable[float]) -> list[NewIou]:
        """Take an image's scores; returns those that were new, for every arm that stands for the weights."""
        new = []
        for alpha, iou in zip(alphas, ious, strict=True):
            for column in self._columns[alpha]:
                if np.isnan(self.table.ious[position, column]):
                    self.table.ious[position, column] = iou
                    new.append(NewIou(*self._owners[column], float(iou)))
        self.table.scored[position] = True
        return new

    def verdicts(self) -> list[Verdict]:
        """What may be concluded from the pulls so far, a verdict a bandit."""
        return [verdict(contest.bandit) for contest in self.contests]

    def restore(self, quarantined: Sequence[bool], ious: NDArray[np.float64]) -> None:
        """Put back what was known when the job was interrupted.

        Args:
            quarantined: Whether each image is left out.
            ious: The scores, NaN where unknown, float64 of shape (images, arms of all weights).
        """
        self.table.quarantined[:] = quarantined
        self.table.ious[:] = ious
        self.table.scored[:] = ~np.isnan(ious).all(axis=1)

    def replay(self, pull: Pulled) -> None:
        """Make a pull again that was recorded before, in the order in which they were made."""
        bandit = self.contests[pull.weight].bandit
        bandit.record(pull.arm, success=pull.iou >= self.threshold, image=pull.position)

    def _pull(self, weight: int, arm: int, position: int) -> Pulled:
        """Tell the bandit what the arm's score on the image is worth."""
        bandit = self.contests[weight].bandit
        iou = float(self.table.ious[position, self._first[weight] + arm])
        bandit.record(arm, success=iou >= self.threshold, image=position)
        return Pulled(weight, bandit.trials, arm, position, iou)


class AheadRound(ScoredRound):
    """``scoring: all``: images are asked for in order, ahead of the need, with every arm that may still be pulled.

    A decision waits until it is known for every arm whether it has an image left, and what that image is worth to it.
    So the sequence of pulls depends on scores and seed alone, never on the order in which workers answer.
    """

    def __post_init__(self) -> None:
        """Nothing was asked for yet."""
        super().__post_init__()
        self._asked = 0

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Alpha, ...]]]:
        """The next images of the permutation, at most ``ahead`` of what the most pulled arm needs next."""
        alphas = self._wanted_alphas()
        most = max((int(c.bandit.pulls.max()) for c in self.contests if not c.bandit.done), default=0)
        usable = self.table.usable
        need = usable[most] if most < len(usable) else self.table.frontier
        while room > 0 and self._asked < min(need + ahead, self.images):
            if not self.table.resolved(self._asked):
                room -= 1
                yield self._asked, alphas
            self._asked += 1

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm."""
        self.table.quarantined[position] = True

    def restore(self, quarantined: Sequence[bool], ious: NDArray[np.float64]) -> None:
        """Put back what was known when the job was interrupted."""
        super().restore(quarantined, ious)
        self.table.advance()

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again, at the same knowledge of how many images there are."""
        self._decidable(self.contests[pull.weight].bandit)
        super().replay(pull)

    def advance(self) -> list[Pulled]:
        """Pull as far as the scores go."""
        pulls = []
        self.table.advance()
        for weight, contest in enumerate(self.contests):
            bandit = contest.bandit
            while self._decidable(bandit) and not bandit.done:
                arm = bandit.choose()
                pulls.append(self._pull(weight, arm, self.table.usable[int(bandit.pulls[arm])]))
        return pulls

    def _decidable(self, bandit: Bandit) -> bool:
        """Whether it is known for every arm if it has an image left; the number of images is settled when one has not.

        Not before, though it may be known before: when it is must not depend on the order of answers.
        """
        if int(bandit.pulls.max()) < len(self.table.usable):
            return True
        if self.table.complete:
            bandit.images = len(self.table.usable)
        return self.table.complete

    def _wanted_alphas(self) -> tuple[Alpha, ...]:
        """The weights of the arms that may still be pulled, each once."""
        needed = np.concatenate([contest.bandit.alive & (not contest.bandit.done) for contest in self.contests])
        return tuple(alpha for alpha, columns in self._columns.items() if needed[columns].any())


class AskedRound(ScoredRound):
    """``scoring: asked``: an arm is chosen first, then its next image is asked for; pulls in flight count as pulls.

    An arm takes the images in the order of the permutation, but its pulls count in the order in which they came back.
    """

    def __post_init__(self) -> None:
        """No arm took an image yet."""
        super().__post_init__()
        self._taken = np.zeros(self.table.ious.shape, dtype=bool)
        self._waiting: dict[tuple[int, Alpha], list[tuple[int, int]]] = {}
        self._pulls: list[Pulled] = []

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Alpha, ...]]]:  # noqa: ARG002 (never ahead)
        """The arms chosen next, each on its next image, the weights in turn."""
        progress = True
        while room > 0 and progress:
            progress = False
            for weight, contest in enumerate(self.contests):
                if room == 0 or not contest.bandit.free:
                    continue
                progress = True
                asked = self._choose(weight)
                if asked is not None:
                    room -= 1
                    yield asked

    def _choose(self, weight: int) -> tuple[int, tuple[Alpha, ...]] | None:
        """Let a bandit choose; what to ask for, or ``None`` where that is known or asked for already."""
        contest = self.contests[weight]
        arm = contest.bandit.choose()
        column = self._first[weight] + arm
        position = int(np.argmin(self._taken[:, column] | self.table.quarantined))
        self._taken[position, column] = True
        if not np.isnan(self.table.ious[position, column]):
            self._pulls.append(self._pull(weight, arm, position))
            return None
        contest.bandit.begin(arm)
        key = (position, contest.alphas[arm])
        waiting = self._waiting.setdefault(key, [])
        waiting.append((weight, arm))
        return (position, (contest.alphas[arm],)) if len(waiting) == 1 else None

    def take(self, position: int, alphas: Sequence[Alpha], ious: Iterable[float]) -> list[NewIou]:
        """Take an image's scores, and make the pulls that waited for them."""
        new = super().take(position, alphas, ious)
        for alpha in alphas:
            for weight, arm in self._waiting.pop((position, alpha), ()):
                self.contests[weight].bandit.withdraw(arm)
                self._pulls.append(self._pull(weight, arm, position))
        return new

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again."""
        super().replay(pull)
        self._taken[pull.position, self._first[pull.weight] + pull.arm] = True

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm; pulls that waited for it are taken back."""
        self.table.quarantined[position] = True
        for key in [key for key in self._waiting if key[0] == position]:
            for weight, arm in self._waiting.pop(key):
                self.contests[weight].bandit.withdraw(arm)

    def advance(self) -> list[Pulled]:
        """The pulls made since the last call."""
        usable = self.table.images - int(self.table.quarantined.sum())
        for contest in self.contests:
            contest.bandit.images = usable
        pulls, self._pulls = self._pulls, []
        return pulls
