"""Whether the class is lost soon where an image is painted over, the map's highest places first."""

from tracer import Model
from tuner.rewards.areas import area
from tuner.rewards.judge import Judge
from tuner.spec.reward import DeletionReward


def make(reward: DeletionReward, model: Model) -> Judge:  # noqa: ARG001 (a scene has the network)
    """The judge: 1 less the area under the class's probability (deletion, Petsiuk et al. 2018)."""
    return lambda scene, readings: 1 - area(scene, scene.on_grey, readings, reward.steps, remove=True)
