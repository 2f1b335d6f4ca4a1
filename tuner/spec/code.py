"""The code that a job file names: functions of the user's own, which are imported and run."""

from collections.abc import Iterator

from tuner.spec.job import TRACER, JobSpec
from tuner.spec.reward import AgreementReward, OwnReward, Reward


def explaining_code(spec: JobSpec) -> Iterator[tuple[str, str]]:
    """The code that explains images, by the key that names it; torchvision's networks have no colon."""
    if ":" in spec.architecture:
        yield "architecture", spec.architecture
    if spec.explainer != TRACER:
        yield "explainer", spec.explainer


def judging_code(reward: Reward) -> Iterator[tuple[str, str]]:
    """The code that a reward runs, by the key that names it."""
    if isinstance(reward, OwnReward):
        yield "reward.kind", reward.kind
    if isinstance(reward, AgreementReward) and reward.explainer is not None:
        yield "reward.explainer", reward.explainer
