"""The last round of a job: what was learned, held against the base and a baseline, on images that no bandit saw."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from storage.models import Subject
from tracer import Settings
from tuner.play.rounds import CheckedValue, Pulled, Records, Round
from tuner.play.table import ScoreTable

SUBJECTS: tuple[Subject, ...] = get_args(Subject)
"""What is compared, in the order of the table's columns."""


class CheckRound(Round):
    """A round without a bandit: each image that was kept from them is scored once, and nothing is pulled.

    Args:
        base: The settings before anything was learned.
        learned: The settings that were learned, all winners together.
        images: How many images the check has.
        trivial: The value of what needs no network on each of them, shape (images,); ``None`` without such.
        first: Position of the first of these images in the job's permutation; the others follow it.
    """

    def __init__(
        self, base: Settings, learned: Settings, images: int, trivial: NDArray[np.float64] | None, first: int
    ) -> None:
        self.table = ScoreTable(images, len(SUBJECTS) - (trivial is None))
        self._base = base
        self._learned = learned
        self._trivial = trivial
        self._offset = first
        self._asked = 0

    @property
    def done(self) -> bool:
        """Whether every image is scored or left out."""
        return self.table.complete

    def wanted(self, room: int, ahead: int) -> Iterator[tuple[int, tuple[Settings, ...]]]:  # noqa: ARG002 (all are needed)
        """The next images, each with both settings, or the one where nothing else was learned."""
        while room > 0 and self._asked < self.table.images:
            if not self.table.resolved(self._asked):
                room -= 1
                yield self._offset + self._asked, tuple(dict.fromkeys((self._base, self._learned)))
            self._asked += 1

    def record(self, records: Records, position: int, settings: Sequence[Settings], values: Iterable[float]) -> None:
        """Take the scores of an image, and have those of all subjects kept."""
        scored = dict(zip(settings, values, strict=True))
        place = position - self._offset
        found = [scored[self._base], scored[self._learned]]
        if self._trivial is not None:
            found.append(float(self._trivial[place]))
        self.table.values[place] = found
        self.table.scored[place] = True
        records.add_checks(position, [CheckedValue(*one) for one in zip(SUBJECTS, map(float, found), strict=False)])

    def quarantine(self, position: int) -> None:
        """Leave an image out."""
        self.table.quarantined[position - self._offset] = True

    def advance(self) -> list[Pulled]:
        """Count the images that are done; no bandit pulls."""
        self.table.advance()
        return []
