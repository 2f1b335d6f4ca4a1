"""A bandit with more arms than it can try: a few of them at a time, as somebody proposes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tuner.policies.bandit import Bandit
from tuner.policies.base import Batches, Policy


class Proposer(Protocol):
    """Says which arms are worth trying next. It must say the same again when it is told the same again."""

    def propose(self, count: int) -> tuple[int, ...]:
        """At most so many arms that were not tried yet, each once; none where all were tried."""
        ...

    def tell(self, means: Mapping[int, float]) -> None:
        """Take in the mean reward of every arm proposed last."""
        ...


class UnexpectedArmError(Exception):
    """A recorded pull is of an arm that was not proposed."""


class BatchBandit(Bandit):
    """A bandit whose arms are open a batch at a time.

    The arms of a batch are each pulled on the same number of images. Then the proposer is told their means, and
    proposes the next batch. The bandit is done when no further arm can be tried within the budget.

    Args:
        policy: Chooses among the arms of a batch.
        batches: How many arms a batch has, and images a trial.
        proposer: Proposes the arms of each batch.
        arms: K.
        images: Images that every arm may be pulled on, once each.
        budget: Pulls at most; a trial that does not fit any more is not begun.
        seed: Whole numbers that name this bandit.
        preference: The arms, those that win ties first.
    """

    def __init__(
        self,
        policy: Policy,
        batches: Batches,
        proposer: Proposer,
        arms: int,
        images: int,
        budget: int,
        seed: Sequence[int],
        preference: Sequence[int],
    ) -> None:
        super().__init__(policy, arms, images, budget, seed, preference)
        self.trial_images = min(batches.images, images)
        """Images that an arm is tried on."""
        self.batch: tuple[int, ...] = ()
        """The arms being tried; none when the bandit is done."""
        self._size = batches.size
        self._proposer = proposer
        self._closed: tuple[bool, ...] = ()
        self._open_next()

    @property
    def dropped(self) -> Sequence[bool]:
        """Whether an arm may not be pulled now: all but the batch."""
        return self._closed

    @property
    def done(self) -> bool:
        """Whether no further trial fits the budget, or every arm was tried."""
        return not self.batch

    @property
    def seen(self) -> int:
        """Images that every arm of the batch was pulled on."""
        return min((self.pulls_of(arm) for arm in self.batch), default=0)

    def record(self, arm: int, *, success: bool, image: int | None = None) -> None:
        """Take in the reward of a pull; the first pull of an arm outside the batch ends the batch.

        Raises:
            UnexpectedArmError: If the arm is not in the next batch either.
        """
        if self._closed[arm]:
            self.end_batch()
        if self._closed[arm]:
            raise UnexpectedArmError(f"arm {arm} was pulled, but is not among those proposed, {self.batch}")
        super().record(arm, success=success, image=image)

    def end_batch(self) -> None:
        """Tell the proposer what the batch came to, and open the next one."""
        if all(self.pulls_of(arm) for arm in self.batch):
            self._proposer.tell({arm: self.successes_of(arm) / self.pulls_of(arm) for arm in self.batch})
            self._open_next()
        else:  # no image is usable
            self._open(())

    def _open_next(self) -> None:
        fit = (self.budget - self.pulled) // self.trial_images
        self._open(self._proposer.propose(min(self._size, fit)))

    def _open(self, batch: tuple[int, ...]) -> None:
        self.batch, opened = batch, set(batch)
        self._closed = tuple(arm not in opened for arm in range(self.arms))
