"""The joint search: trials of triples that Optuna suggests, a batch at a time, played as one bandit.

A *trial* scores a triple on the first ``trial_images`` images of the permutation. A batch of triples is suggested at
once and scored image by image, all of the batch on one forward pass. When the whole batch is answered, Optuna is told,
and suggests the next. So what is tried depends on scores and seed alone, and playing the stored pulls again brings an
interrupted search back exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from tracer import Alpha
from tuner.errors import JobError
from tuner.play.grid import Grid
from tuner.play.rounds import Pulled, ScoredRound
from tuner.policies import Bandit, Counts, Verdict, verdict
from tuner.policies.uniform import Uniform


@dataclass(frozen=True, kw_only=True)
class OptunaTPE(Uniform):
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) suggests triples; within a batch, all in turn.

    Args:
        trial_images: Images that a trial scores its triple on, at most.
        batch: Triples that are suggested at once.

    Raises:
        ValueError: If a parameter is out of its range.
    """

    trial_images: int = 50
    batch: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("trial_images", "batch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} {value} must be a whole number of at least 1")
        if self.epsilon:
            raise ValueError(f"epsilon {self.epsilon}: nothing bounds what was not tried; leave epsilon out")


class JointBandit(Bandit):
    """A bandit over the triples of a grid, open only in the batch that is being tried.

    Args:
        policy: How many triples a batch has, and a trial images.
        grid: The triples, an arm each.
        images: Images that the job sampled.
        budget: Pulls at most; a trial that does not fit any more is not begun.
        seed: Whole numbers that name this bandit.
    """

    def __init__(self, policy: OptunaTPE, grid: Grid, images: int, budget: int, seed: Sequence[int]) -> None:
        from tuner.play.tpe import Suggestions  # Optuna takes a while to import

        arms = len(grid.triples)
        super().__init__(policy, arms, images, max(budget, arms), seed, grid.preference)
        self.budget = budget
        self.trial_images = min(policy.trial_images, images)
        """Images of a trial."""
        self.batch: tuple[int, ...] = ()
        """The arms being tried; none when the search is over."""
        self._size = policy.batch
        self._suggestions = Suggestions(grid, seed)
        self._open()

    @property
    def counts(self) -> Counts:
        """What the policy sees now: the arms of the batch are open."""
        return super().counts._replace(closed=self._closed)

    @property
    def done(self) -> bool:
        """Whether no further trial fits the budget, or every triple was tried."""
        return not self.batch

    @property
    def seen(self) -> int:
        """Images that every arm of the batch was pulled on."""
        return min((self._pulls[arm] for arm in self.batch), default=0)

    def record(self, arm: int, *, success: bool, image: int | None = None) -> None:
        """Take in the reward of a pull; the first pull of an arm outside the batch ends the batch.

        Raises:
            JobError: If the arm is not in the next batch either.
        """
        if self._closed[arm]:
            self.end_batch()
        if self._closed[arm]:
            raise JobError(
                "the recorded trials are not those that Optuna suggests here: install the versions of optuna and numpy "
                "that the job began with, or start it anew under another name"
            )
        super().record(arm, success=success, image=image)

    def end_batch(self) -> None:
        """Tell what the batch came to, and open the next one."""
        pulls, successes = self._pulls, self._successes
        if not all(pulls[arm] for arm in self.batch):  # no image is usable
            self._try(())
            return
        self._suggestions.tell({arm: successes[arm] / pulls[arm] for arm in self.batch})
        self._open()

    def _open(self) -> None:
        fit = (self.budget - self.trials) // self.trial_images
        self._try(self._suggestions.next(min(self._size, fit)))

    def _try(self, batch: tuple[int, ...]) -> None:
        self.batch, tried = batch, set(batch)
        self._closed = tuple(arm not in tried for arm in range(self.arms))


class JointRound(ScoredRound):
    """Plays the one bandit of a joint search: each batch on the images in the order of the permutation."""

    def __post_init__(self) -> None:
        """The first batch is at the first image."""
        super().__post_init__()
        self._position = 0  # of the next image of the batch
        self._asked: set[int] = set()
        self._batch = self._bandit.batch

    @property
    def _bandit(self) -> JointBandit:
        return cast("JointBandit", self.contests[0].bandit)

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Alpha, ...]]]:  # noqa: ARG002 (a batch is the need)
        """The next images of the batch's trials, with the triples that were not scored on them."""
        bandit = self._bandit
        open_ = np.flatnonzero(~self.table.quarantined[self._position :]) + self._position
        for position in open_[: bandit.trial_images - bandit.seen].tolist():
            if room > 0 and position not in self._asked:
                self._asked.add(position)
                alphas = self._missing(position)
                if alphas:
                    room -= 1
                    yield position, alphas

    def quarantine(self, position: int) -> None:
        """Leave an image out, for every arm."""
        self.table.quarantined[position] = True

    def replay(self, pull: Pulled) -> None:
        """Make a recorded pull again."""
        super().replay(pull)
        self._follow()
        seen = {int(self._bandit.pulls[arm]) for arm in self._batch}
        self._position = pull.position + (len(seen) == 1)

    def advance(self) -> list[Pulled]:
        """Pull as far as the scores go, image by image."""
        pulls: list[Pulled] = []
        bandit = self._bandit
        self.table.advance()
        while not bandit.done:
            if bandit.seen >= bandit.trial_images or self._position >= self.images:
                bandit.end_batch()
                self._follow()
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
        """What may be concluded about the triples that were tried.

        The best triple of the grid is among those that may be best, or was not tried, with the verdict's confidence.
        """
        bandit = self._bandit
        bandit.images = self.images - int(self.table.quarantined.sum())
        end = verdict(bandit)
        pulls = bandit.pulls.tolist()
        tried = [arm for arm in range(bandit.arms) if pulls[arm]]
        may_be_best = tuple(arm for arm in end.may_be_best if pulls[arm])
        known = all(pulls[arm] >= bandit.images for arm in tried)
        return [replace(end, may_be_best=may_be_best, confidence=1.0 if known else end.confidence)]

    def _follow(self) -> None:
        """Begin at the first image where the bandit opened a new batch."""
        if self._bandit.batch != self._batch:
            self._batch = self._bandit.batch
            self._position = 0
            self._asked.clear()

    def _missing(self, position: int) -> tuple[Alpha, ...]:
        """The triples of the batch without a score on an image."""
        alphas = self.contests[0].alphas
        return tuple(alphas[arm] for arm in self._batch if np.isnan(self.table.ious[position, arm]))
