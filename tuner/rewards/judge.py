"""What a reward is to a worker, whatever its kind."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tracer.factories import make
from tuner.datasets import LabelledImage
from tuner.spec.reward import OwnReward, Reward

if TYPE_CHECKING:
    from tracer import Model
    from tracer.reading import Reading
    from tuner.rewards.scene import Scene

Values = NDArray[np.float64]


class Judge(Protocol):
    """A reward, ready to judge what arms read of images.

    One of a user's own is what the factory of a job file returns. The factory takes the job's :class:`tracer.Model`,
    and as keywords what the job file says beside ``kind`` and ``at``; it is called once in each worker. A reward that
    judges by boxes says so by an attribute ``needs_boxes = True`` of what the factory returns.
    """

    def __call__(self, scene: "Scene", readings: "Sequence[Reading]") -> Values:
        """The value of each arm on one image.

        Args:
            scene: The image, its boxes where it has any, and the network on it with parts hidden.
            readings: What each arm read: its box, its map and the class explained.

        Returns:
            float64 of shape (arms,), each in [0, 1] and the same whatever other arms are judged with it.
        """
        ...


def make_judge(reward: Reward, model: "Model") -> Judge:
    """The judge of a job's reward.

    Raises:
        FactoryError: If the factory of a user's own cannot be imported, or fails.
        TracerError: If what it compares with, a weight file or an explainer, cannot be had.
    """
    if isinstance(reward, OwnReward):
        judge: Judge = make(reward.kind, model, **reward.parameters)
    else:
        judge = importlib.import_module(f"{__package__}.{reward.kind}").make(reward, model)
    return judge


def trivial_value(reward: Reward, image: LabelledImage) -> float:
    """What is given to an explanation that looks at nothing (:attr:`Reward.trivial`).

    Only rewards that name such an explanation have a function ``trivial`` in their module.
    """
    value: float = importlib.import_module(f"{__package__}.{reward.kind}").trivial(image)
    return value
