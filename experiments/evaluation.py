"""Run attribution methods over images that have boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.errors import SettingError
from experiments.maps import Map, smooth
from experiments.methods import Method, Subject
from tuner.datasets import LabelledImage

Target = Literal["predicted", "label"]


@dataclass(frozen=True, eq=False)
class Explained:
    """An image with the maps of every method.

    Args:
        image: The image.
        target: Index of the class explained.
        predicted: Index of the class predicted.
        probability: The network's probability of the class explained.
        maps: Method name → map of shape (h, w) of the network's input, blurred where the method is pixelwise.
    """

    image: LabelledImage
    target: int
    predicted: int
    probability: float
    maps: dict[str, Map]


def explained(
    subject: Subject,
    methods: Sequence[Method],
    images: Sequence[LabelledImage],
    *,
    target: Target = "predicted",
    batch: int = 8,
) -> Iterator[Explained]:
    """Each image's maps by all methods for the same class, in order.

    Raises:
        MethodError: If a method cannot explain this network.
        SettingError: If labels are to be explained and an image has none.
    """
    model = subject.model
    prepared = {method: method.prepare(subject) for method in methods}
    for start in range(0, len(images), batch):
        together = images[start : start + batch]
        inputs = torch.stack([model.preprocess(image.open()) for image in together]).to(model.device)
        with torch.no_grad():
            probabilities = model.scores(inputs).float().softmax(1)
        predicted = probabilities.argmax(1)
        targets = predicted if target == "predicted" else _labels(together).to(predicted)
        maps = {method: attribute(inputs, targets).cpu().numpy() for method, attribute in prepared.items()}
        for place, image in enumerate(together):
            yield Explained(
                image,
                int(targets[place]),
                int(predicted[place]),
                float(probabilities[place, targets[place]]),
                {method.name: _read(method, found[place], image) for method, found in maps.items()},
            )


def _read(method: Method, values: NDArray[np.float32], image: LabelledImage) -> Map:
    return smooth(values, image.width, image.height) if method.pixelwise else values.astype(np.float64)


def _labels(images: Sequence[LabelledImage]) -> torch.Tensor:
    for image in images:
        if image.label is None:
            raise SettingError(f"image {image.id} has no label: explain the predicted class (--target predicted)")
    return torch.tensor([image.label for image in images])


def rate(hits: Sequence[bool]) -> tuple[float, float]:
    """The share of hits and its standard error sqrt(p (1 - p) / n), both in percent."""
    share = float(np.mean(hits))
    return 100 * share, 100 * float(np.sqrt(share * (1 - share) / len(hits)))
