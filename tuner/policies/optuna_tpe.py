"""What a job says of Optuna's estimator; :mod:`tuner.play.tpe` runs it."""

from dataclasses import dataclass

from tuner.policies.base import Batches
from tuner.policies.uniform import Uniform


@dataclass(frozen=True, kw_only=True)
class OptunaTPE(Uniform):
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) says which arms are tried next.

    It proposes ``batch`` arms at a time. Each of them is pulled on the same ``trial_images`` images, in turn. Then it
    is told how often each succeeded, and proposes the next batch.

    Args:
        trial_images: Images that an arm is tried on, at most.
        batch: Arms that are proposed at a time.

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

    def batches(self) -> Batches:
        """The arms are tried a batch at a time."""
        return Batches(self.batch, self.trial_images)

    def least_budget(self, arms: int, images: int) -> int:  # noqa: ARG002 (does not try every arm)
        """One arm, tried."""
        return min(self.trial_images, images)
