"""What the controller asks of workers, whatever they run on."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tracer import Settings
from tuner.errors import ChangedError


@dataclass(frozen=True)
class Task:
    """One image to score.

    Args:
        position: Place of the image in the job's permutation.
        image: Its index in the data set.
        settings: What to trace it with, each once.
    """

    position: int
    image: int
    settings: tuple[Settings, ...] = field(hash=False)  # there may be two thousand


@dataclass(frozen=True)
class Scored:
    """A task done: ``values`` is float64 of shape (settings,), each in [0, 1]."""

    task: Task
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Failed:
    """A task whose image could not be scored; the reason is one line."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Changed:
    """A task whose image is not the one that the job began with; the reason is one line. It ends the job."""

    task: Task
    reason: str


@dataclass(frozen=True)
class Lost:
    """A task whose worker died or was cut off before it answered."""

    task: Task
    reason: str


Answer = Scored | Failed | Changed | Lost


class Scores(Protocol):
    """Scores an image of the job's data set."""

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        """The value of each on the image, float64 of shape (settings,), in [0, 1]."""
        ...


class Pool(Protocol):
    """Workers that score images. Every task submitted comes back once: scored, failed, changed or lost."""

    @property
    def workers(self) -> int:
        """How many tasks are worked on at once."""
        ...

    def submit(self, task: Task) -> None:
        """Hand a task over; does not wait."""
        ...

    def collect(self, timeout: float) -> list[Answer]:
        """The tasks that came back; waits up to ``timeout`` seconds for the first."""
        ...

    def close(self) -> None:
        """End the workers; what they hold is dropped."""
        ...


class SerialPool:
    """Scores in this process, one task at a call of :meth:`collect`."""

    workers = 1

    def __init__(self, scorer: Scores) -> None:
        self._scorer = scorer
        self._tasks: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._tasks.append(task)

    def collect(self, timeout: float) -> list[Answer]:  # noqa: ARG002  (the work itself is the wait)
        """Score the oldest task."""
        return [attempt(self._scorer, self._tasks.popleft())] if self._tasks else []

    def close(self) -> None:
        """Drop what is queued."""
        self._tasks.clear()


def attempt(scorer: Scores, task: Task) -> Scored | Failed | Changed:
    """Score a task; an exception of its image becomes its failure."""
    try:
        return Scored(task, scorer.score(task.image, task.settings))
    except ChangedError as error:
        return Changed(task, str(error))
    except Exception as error:  # whatever an image provokes counts against the image, not the worker
        lines = str(error).strip().splitlines()
        return Failed(task, f"{type(error).__name__}: {lines[0] if lines else 'no message'}")
