"""How far an explanation agrees with another one of the same image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tracer import Model, Settings, Tracer, load_weights
from tracer.maps import Map, blur
from tracer.reading import Reading
from tuner.datasets.boxes import iou
from tuner.rewards.judge import Judge, Values
from tuner.rewards.scene import Scene
from tuner.spec.reward import AgreementReward
from tuner.workers.explainer import ExplainedMaps


def make(reward: AgreementReward, model: Model) -> Judge:
    """The judge.

    Raises:
        WeightsError: If the weight file is bad, or of another architecture.
        FactoryError: If the explainer cannot be imported, or fails.
    """
    if reward.weights is None:
        return Agreement(ExplainedMaps(model, str(reward.explainer)), Settings().changed({"box": "patch"}), reward.by)
    weights = load_weights(reward.weights)
    weights.check_architecture(model.architecture)
    return Agreement(Tracer(model), weights.settings, reward.by)


@dataclass(frozen=True)
class Agreement:
    """Agreement with what another explainer, or other settings of the tracer, read of an image.

    Args:
        reader: The other explainer.
        settings: What it reads with.
        by: ``box``, by IOU; or ``map``: the mass that two maps have in common, each of mass 1.
    """

    reader: Tracer | ExplainedMaps
    settings: Settings
    by: str
    _last: dict[tuple[str, int], Reading] = field(default_factory=dict, repr=False)

    def __call__(self, scene: Scene, readings: Sequence[Reading]) -> Values:
        """The value of each arm."""
        others = [self._other(scene, reading.target) for reading in readings]
        if self.by == "box":
            values = [iou(one.box, other.box) for one, other in zip(readings, others, strict=True)]
        else:
            values = [_common(one.heat, other.heat, scene.size) for one, other in zip(readings, others, strict=True)]
        return np.array(values, dtype=np.float64)

    def _other(self, scene: Scene, target: int) -> Reading:
        """What the other reads of an image; that of the last image is kept."""
        key = (scene.image.id, target)
        if key not in self._last:
            self._last.clear()
            self._last[key] = self.reader.readings([scene.pixels], [self.settings], [target])[0][0]
        return self._last[key]


def _common(one: Map, other: Map, size: tuple[int, int]) -> float:
    """The mass that two maps of an image have in common, in [0, 1]; the other is brought to the shape of the one."""
    alike = blur(other, 0.0, (one.shape[0], one.shape[1]), size)
    if not (one.any() and alike.any()):
        return 0.0
    return float(min(1.0, np.minimum(one / one.sum(), alike / alike.sum()).sum()))
