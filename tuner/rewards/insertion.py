"""Whether the class comes back soon where a blurred image is made sharp, the map's highest places first."""

from tracer import Model
from tuner.rewards.areas import area
from tuner.rewards.judge import Judge
from tuner.spec.reward import InsertionReward


def make(reward: InsertionReward, model: Model) -> Judge:  # noqa: ARG001 (a scene has the network)
    """The judge: the area under the class's probability (insertion, Petsiuk et al. 2018)."""
    return lambda scene, readings: area(scene, scene.on_blur, readings, reward.steps, remove=False)
