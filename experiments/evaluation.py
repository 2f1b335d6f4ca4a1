"""A batch of images as a network sees it, and how a method's maps of it are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.errors import SettingError
from experiments.maps import Map, smooth
from experiments.methods import Method, Subject, Variants
from tuner.datasets import LabelledImage

Target = Literal["predicted", "label"]


@dataclass(frozen=True, eq=False)
class Predicted:
    """Images, and what a network says of them.

    Args:
        subject: The network.
        images: The images.
        inputs: They as the network takes them, shape (b, 3, h, w).
        targets: The class explained of each, int64 of shape (b,).
        probabilities: Of every class, shape (b, classes).
    """

    subject: Subject
    images: Sequence[LabelledImage]
    inputs: Tensor
    targets: Tensor
    probabilities: Tensor

    @property
    def predicted(self) -> Tensor:
        """The class predicted of each, int64 of shape (b,)."""
        return self.probabilities.argmax(1)

    @property
    def certainty(self) -> Tensor:
        """The probability of the class explained, shape (b,)."""
        return self.probabilities.gather(1, self.targets[:, None])[:, 0]

    def resized(self, side: int) -> Tensor:
        """The images as the network takes them at another size, shape (b, 3, side, side)."""
        model = self.subject.model
        return torch.stack([model.preprocess(image.open(), side) for image in self.images]).to(model.device)

    def maps(self, method: Method, attribute: Variants) -> list[Map]:
        """A method's own map of every image, blurred where the method is pixelwise."""
        (values,) = attribute(self.inputs, self.targets).values()
        return [read(method, found, image) for found, image in zip(values, self.images, strict=True)]


def predict(subject: Subject, images: Sequence[LabelledImage], target: Target) -> Predicted:
    """A batch of images, read and classified.

    Raises:
        SettingError: If labels are to be explained and an image has none.
    """
    inputs = torch.stack([subject.model.preprocess(image.open()) for image in images]).to(subject.model.device)
    chances = probabilities(subject, inputs)
    targets = chances.argmax(1) if target == "predicted" else labels(images).to(inputs.device)
    return Predicted(subject, images, inputs, targets, chances)


def probabilities(subject: Subject, inputs: Tensor) -> Tensor:
    """The network's probability of every class, shape (b, classes)."""
    with torch.no_grad():
        return subject.model.scores(inputs).float().softmax(1)


def read(method: Method, values: Tensor, image: LabelledImage) -> Map:
    """A map as it is read: a method of single pixels' is blurred first.

    Args:
        method: Whose map it is.
        values: The map, shape (h, w) of the network's input.
        image: What it is a map of.
    """
    found: NDArray[np.float32] = values.cpu().numpy()
    return smooth(found, image.width, image.height) if method.pixelwise else found.astype(np.float64)


def labels(images: Sequence[LabelledImage]) -> Tensor:
    """The class of every image.

    Raises:
        SettingError: If one has none.
    """
    for image in images:
        if image.label is None:
            raise SettingError(f"image {image.id} has no label: take a data set with labels, or --target predicted")
    return torch.tensor([image.label for image in images])
