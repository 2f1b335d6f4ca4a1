"""What is tuned in a round: a weight, or all three together."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.models import WeightName
from storage.rows import Value
from tracer import Alpha
from tuner.play.grid import WEIGHTS
from tuner.policies import Bandit


@dataclass
class Contest:
    """A weight being tuned: its bandit and what each arm stands for.

    Args:
        name: ``cur``, ``suc``, ``pre`` or, where its arms are triples of all three, ``joint``.
        values: The candidate values, or triples, an arm each.
        alphas: The weights that each arm traces with.
        bandit: Chooses arms and counts their pulls.
    """

    name: WeightName
    values: Sequence[Value]
    alphas: Sequence[Alpha]
    bandit: Bandit

    @property
    def tuned(self) -> tuple[str, ...]:
        """The weights that its arms set."""
        return WEIGHTS if self.name == "joint" else (self.name,)

    @property
    def leading(self) -> tuple[Value, float] | None:
        """Value and mean reward of the arm with the highest mean; ``None`` before the first pull."""
        pulls, successes = self.bandit.pulls.tolist(), self.bandit.successes.tolist()
        pulled = [arm for arm in range(len(self.values)) if pulls[arm]]
        best = max(pulled, key=lambda arm: successes[arm] / pulls[arm], default=None)
        return None if best is None else (self.values[best], successes[best] / pulls[best])
