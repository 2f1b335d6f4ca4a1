"""The race: every surviving arm on every image, the beaten ones dropped."""

from dataclasses import dataclass
from typing import ClassVar

from tuner.policies.uniform import Uniform


@dataclass(frozen=True, kw_only=True)
class Race(Uniform):
    """Pulls as :class:`Uniform` does, but drops the arms that are beaten, and ends when one arm is left.

    An arm is beaten as :class:`tuner.policies.duels.Duels` says; under other policies that decides the verdict alone.
    """

    drops: ClassVar[bool] = True
