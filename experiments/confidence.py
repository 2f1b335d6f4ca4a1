"""Whether the network grows surer when only the explained part of an image is left (Section 4.1.2)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.drawn import drawn
from experiments.evaluation import Explained, rate
from experiments.methods import Subject
from tuner.rewards.masks import box_mask


@dataclass(frozen=True)
class Confidence:
    """How a way to draw boxes did on all images.

    Args:
        method: The attribution method.
        box: ``map > T`` or ``points``, as in localisation.
        images: How many images.
        increased: Share of images on which the class grew more probable, percent (Table 1, increase in performance).
        increased_se: Its standard error, percent.
        average_drop: Mean share of the probability that is lost, an increase counting as 0, percent
            (Chattopadhay et al. 2018).
        kept: Mean share of the image that the box keeps, percent. A box around everything changes nothing.
    """

    method: str
    box: str
    images: int
    increased: float
    increased_se: float
    average_drop: float
    kept: float


def confidence(subject: Subject, images: Iterable[Explained], *, points: bool, threshold: float) -> list[Confidence]:
    """Change of the explained class's probability when what lies outside each box is painted in the mean colour."""
    model = subject.model
    changes: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for one in images:
        boxes = list(drawn(one, (threshold,), subject if points else None))
        inputs = model.preprocess(one.image.open()).to(model.device)
        occluded = torch.stack([occlude(inputs, box, one.image.width, one.image.height) for _, _, box in boxes])
        with torch.no_grad():
            after = model.scores(occluded).float().softmax(1)[:, one.target].tolist()
        for (method, kind, box), probability in zip(boxes, after, strict=True):
            area = float((box[2] - box[0]) * (box[3] - box[1])) / (one.image.width * one.image.height)
            changes[method, kind].append((one.probability, probability, area))
    return list(_rated(changes))


def occlude(inputs: Tensor, box: NDArray[np.float64], width: int, height: int) -> Tensor:
    """The network's input (3, h, w) with 0, the mean colour, outside a box in pixels of the original image."""
    mask = box_mask(box, (width, height), (inputs.shape[1], inputs.shape[2]))
    return torch.where(torch.from_numpy(mask).to(inputs.device), inputs, 0)


def _rated(changes: dict[tuple[str, str], list[tuple[float, float, float]]]) -> Iterator[Confidence]:
    for (method, kind), found in changes.items():
        before, after, area = np.array(found).T
        increased, error = rate((after > before).tolist())
        drop = 100 * float(np.mean(np.maximum(before - after, 0) / before))
        yield Confidence(method, kind, len(found), increased, error, drop, 100 * float(area.mean()))
