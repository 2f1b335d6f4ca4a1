"""The loop of a job: asks workers for scores, lets the policies pull, and is the only one who writes.

It knows no Ray: workers are a :class:`tuner.workers.pool.Pool`. What a job comes to depends on the scores and the seed
alone.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.models import Candidate
from tuner.errors import ChangedError, ScoringError
from tuner.play.journal import Journal
from tuner.play.rounds import Round
from tuner.workers.pool import Answer, Changed, Failed, Lost, Pool, Scored, Task

logger = logging.getLogger(__name__)

FAILURES = 3
"""An image is quarantined at its third failure in a round."""
LOSSES = 10
"""An image whose worker was lost so often is taken for the cause, and quarantined too."""
SYSTEMATIC = 3
"""So many images that failed, and none scored, are not bad images but a bad job; of fewer, all that a round has."""
WINDOW = 3
"""Images in flight per worker: one scored, one queued at it, and one more, so that none waits."""
TICK = 0.5
"""Seconds the controller waits at most before it looks after its lease and the wish to stop."""
COMMIT = 0.2
"""Seconds that what was learned waits at most for its commit."""


@dataclass(frozen=True)
class Progress:
    """Where a round stands.

    Args:
        number: The round, from 1; ``None`` while what was learned is checked.
        pulls: Pulls so far, by the setting that a bandit tunes.
        budget: Pulls that each bandit may have.
        leading: Candidate and mean reward of each bandit's leading arm; absent before the first pull.
        scored: Images scored (for one arm at least) or quarantined so far.
        images: Images sampled.
    """

    number: int | None
    pulls: dict[str, int]
    budget: dict[str, int]
    leading: dict[str, tuple[Candidate, float]]
    scored: int
    images: int


class Controller:
    """Plays a job's rounds.

    Args:
        journal: The job in the database, leased.
        pool: Workers.
        images: Index in the data set of each image of the permutation.
        stop: Whether the user wants to stop; asked at every tick.
        report: Told where the round stands, at every tick.
    """

    def __init__(
        self,
        journal: Journal,
        pool: Pool,
        images: Sequence[int],
        *,
        stop: Callable[[], bool] = lambda: False,
        report: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._journal = journal
        self._pool = pool
        self._images = images
        self._stop = stop
        self._report = report
        self._in_flight: set[Task] = set()
        self._failures: Counter[int] = Counter()  # in this round, by position, as the losses
        self._losses: Counter[int] = Counter()
        self._committed = time.monotonic()

    def play(self, number: int | None, round_: Round) -> bool:
        """Play a round to its end; whether it came there (and was not stopped before).

        Args:
            number: The round's, from 1; ``None`` for the check.
            round_: The round.

        Raises:
            StaleLeaseError: If another controller took the job.
            WorkerError: If no worker can start.
            ScoringError: If every image of the round fails.
            ChangedError: If an image is not the one that the job began with.
        """
        self._failures.clear()
        self._losses.clear()
        while True:
            self._journal.add_pulls(round_.advance())
            if round_.done:
                self._journal.flush()
                self._report(_progress(number, round_))
                self._in_flight.clear()
                return True
            self._ask(round_)
            self._keep(number, round_)
            if self._stop() or self._journal.stop_requested:
                self._journal.flush()
                return False
            for answer in self._pool.collect(TICK):
                self._take(round_, answer)

    def _ask(self, round_: Round) -> None:
        """Keep a bounded window of images in flight, ahead of what the policies need next."""
        room = WINDOW * self._pool.workers - len(self._in_flight)
        for position, settings in round_.wanted(room, WINDOW * self._pool.workers):
            task = Task(position, self._images[position], settings)
            self._in_flight.add(task)
            self._pool.submit(task)

    def _take(self, round_: Round, answer: Answer) -> None:
        task = answer.task
        if task not in self._in_flight:  # of a round that ended before it was needed
            return
        if isinstance(answer, Scored):
            self._in_flight.discard(task)
            round_.record(self._journal, task.position, task.settings, answer.values)
        elif isinstance(answer, Changed):
            raise ChangedError(answer.reason)
        elif isinstance(answer, Failed):
            self._failed(round_, task, answer.reason)
        else:
            self._lost(round_, answer)

    def _lost(self, round_: Round, answer: Lost) -> None:
        position = answer.task.position
        self._losses[position] += 1
        self._journal.event("lost", f"a worker was lost with image {self._journal.name(position)}: {answer.reason}")
        if self._losses[position] >= LOSSES:
            self._failed(round_, answer.task, f"its worker was lost {LOSSES} times: {answer.reason}", limit=1)
        else:
            self._pool.submit(answer.task)

    def _failed(self, round_: Round, task: Task, reason: str, limit: int = FAILURES) -> None:
        position = task.position
        logger.warning("image %s failed: %s", self._journal.name(position), reason)
        self._journal.event("failure", f"image {self._journal.name(position)} failed: {reason}")
        self._failures[position] += 1
        quarantine = self._failures[position] >= limit
        bad = len(self._failures)
        all_fail = bad >= SYSTEMATIC or (quarantine and bad >= round_.table.images)
        if all_fail and not round_.table.scored.any():
            raise ScoringError(f"the first {bad} images all failed, so it is not the images: {reason}")
        self._journal.fail(position, reason, self._failures[position], quarantine=quarantine)
        if quarantine:
            self._in_flight.discard(task)
            round_.quarantine(position)
        else:
            self._pool.submit(task)

    def _keep(self, number: int | None, round_: Round) -> None:
        """Commit, renew the lease and report, where it is time."""
        if time.monotonic() - self._committed >= COMMIT:
            self._journal.flush()
            self._committed = time.monotonic()
        self._journal.keep()
        self._report(_progress(number, round_))


def _progress(number: int | None, round_: Round) -> Progress:
    leading = {one.setting: one.leading for one in round_.bandits}
    return Progress(
        number,
        {one.setting: one.bandit.pulled for one in round_.bandits},
        {one.setting: one.bandit.budget for one in round_.bandits},
        {setting: first for setting, first in leading.items() if first},
        round_.table.resolved_images,
        round_.table.images,
    )
