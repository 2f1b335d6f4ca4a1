"""A bandit with the setting that it tunes."""

from dataclasses import dataclass

from storage.models import Candidate
from tuner.policies import Bandit
from tuner.spec.arms import ArmSet


@dataclass
class SettingBandit:
    """A bandit at play, and what its arms stand for.

    Args:
        arms: What it may pull.
        bandit: Chooses arms and counts their pulls.
    """

    arms: ArmSet
    bandit: Bandit

    @property
    def setting(self) -> str:
        """The setting that it tunes, or ``joint``."""
        return self.arms.setting

    @property
    def leading(self) -> tuple[Candidate, float] | None:
        """Candidate and mean reward of the arm with the highest mean; ``None`` before the first pull."""
        pulls, successes = self.bandit.pulls.tolist(), self.bandit.successes.tolist()
        pulled = [arm for arm in range(len(pulls)) if pulls[arm]]
        best = max(pulled, key=lambda arm: successes[arm] / pulls[arm], default=None)
        return None if best is None else (self.arms.candidates[best], successes[best] / pulls[best])
