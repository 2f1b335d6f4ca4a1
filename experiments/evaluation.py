"""Run attribution methods over images that have boxes."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.errors import MethodError, SettingError
from experiments.maps import Map, smooth
from experiments.methods import Method, Subject, Variants, alone
from tuner.datasets import LabelledImage

logger = logging.getLogger(__name__)

Target = Literal["predicted", "label"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says of an image.

    Args:
        image: The image.
        target: Index of the class explained.
        predicted: Index of the class predicted.
        probability: The network's probability of the class explained.
    """

    image: LabelledImage
    target: int
    predicted: int
    probability: float


@dataclass(frozen=True, eq=False)
class Explained(Prediction):
    """An image with the maps of every method.

    Args:
        maps: Method name → map of shape (h, w) of the network's input, blurred where the method is pixelwise.
    """

    maps: dict[str, Map]


@dataclass(frozen=True, eq=False)
class Varied(Prediction):
    """An image with the maps of every variant of every method, as the methods give them.

    Args:
        maps: Method name → variant name → map of shape (h, w) of the network's input.
    """

    maps: dict[str, dict[str, NDArray[np.float32]]]


def explained(
    subject: Subject,
    methods: Sequence[Method],
    images: Sequence[LabelledImage],
    *,
    target: Target = "predicted",
    batch: int = 8,
) -> Iterator[Explained]:
    """Each image's maps by all methods for the same class, in order; errors and refusals as :func:`varied`."""
    for one in varied(subject, methods, images, target=target, batch=batch, own=True):
        maps = {
            method.name: _read(method, one.maps[method.name][""], one.image)
            for method in methods
            if method.name in one.maps
        }
        yield Explained(one.image, one.target, one.predicted, one.probability, maps)


def varied(
    subject: Subject,
    methods: Sequence[Method],
    images: Sequence[LabelledImage],
    *,
    target: Target = "predicted",
    batch: int = 8,
    own: bool = False,
) -> Iterator[Varied]:
    """Each image's maps by all variants of all methods for the same class, in order.

    A method that cannot explain this network is left out with a warning. That shows on the first image.

    Args:
        subject: What is explained.
        methods: The methods.
        images: The images.
        target: The class to explain.
        batch: How many images are explained together.
        own: Give each method's own map only, under an empty name.

    Raises:
        MethodError: If no method can explain this network, or one fails later than on the first image.
        SettingError: If labels are to be explained and an image has none.
    """
    model, prepared = subject.model, dict[str, Variants]()
    for start in range(0, len(images), batch):
        together = images[start : start + batch]
        inputs = torch.stack([model.preprocess(image.open()) for image in together]).to(model.device)
        with torch.no_grad():
            probabilities = model.scores(inputs).float().softmax(1)
        predicted = probabilities.argmax(1)
        targets = predicted if target == "predicted" else _labels(together).to(predicted)
        if start == 0:
            prepared = _prepare(subject, methods, own, inputs[:1], targets[:1])
        maps = {name: _arrays(attribute(inputs, targets)) for name, attribute in prepared.items()}
        for place, image in enumerate(together):
            yield Varied(
                image,
                int(targets[place]),
                int(predicted[place]),
                float(probabilities[place, targets[place]]),
                {name: {variant: found[place] for variant, found in of.items()} for name, of in maps.items()},
            )


def _prepare(
    subject: Subject, methods: Sequence[Method], own: bool, inputs: torch.Tensor, targets: torch.Tensor
) -> dict[str, Variants]:
    """The methods that can explain this network, by name; each is tried on an image, for some refuse only then."""
    prepared = dict[str, Variants]()
    for method in methods:
        try:
            attribute = alone(method.prepare(subject)) if own else method.prepare_variants(subject)
            attribute(inputs, targets)
            prepared[method.name] = attribute
        except MethodError as error:
            logger.warning("%s is left out: %s", method.name, error)
    if not prepared:
        raise MethodError("none of the methods can explain this network: choose others (--methods)")
    return prepared


def _arrays(maps: dict[str, torch.Tensor]) -> dict[str, NDArray[np.float32]]:
    return {name: found.cpu().numpy() for name, found in maps.items()}


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
