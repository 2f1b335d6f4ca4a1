"""Where the network looked when it was wrong (Section 4.4), in figures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from experiments.errors import SettingError
from experiments.evaluation import rate
from experiments.methods import Subject
from tracer.reading import read_boxes
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou


@dataclass(frozen=True)
class Looked:
    """Where the evidence of the predicted class and of the true one lies in an image.

    Args:
        image: Its id.
        right: Whether the predicted class is the true one.
        label: The true class.
        predicted: The predicted class.
        probability: The network's probability of the predicted class.
        label_probability: Its probability of the true class.
        iou: IOU of the predicted class's box with the best-overlapping instance.
        label_iou: IOU of the true class's box with it.
        same_place: IOU of the two boxes: near 1, the network saw the object and named it wrongly; near 0, it looked
            elsewhere.
    """

    image: str
    right: bool
    label: str
    predicted: str
    probability: float
    label_probability: float
    iou: float
    label_iou: float
    same_place: float


@dataclass(frozen=True)
class Group:
    """The images that the network got right, or wrong.

    Args:
        prediction: ``right`` or ``wrong``.
        images: How many.
        success: Share whose predicted class's box has an IOU of at least 0.5 with an instance, percent.
        success_se: Its standard error, percent.
        mean_iou: Mean of that IOU.
        label_mean_iou: Mean IOU of the true class's box.
        mean_same_place: Mean IOU of the two boxes.
    """

    prediction: str
    images: int
    success: float
    success_se: float
    mean_iou: float
    label_mean_iou: float
    mean_same_place: float


def looked(subject: Subject, images: Iterable[LabelledImage]) -> Iterator[Looked]:
    """Each image traced for the class predicted and for its label.

    Raises:
        SettingError: If an image has no label.
    """
    model, tracer = subject.model, subject.tracer
    for image in images:
        if image.label is None:
            raise SettingError(f"image {image.id} has no label: whether it is misclassified cannot be said")
        inputs = model.preprocess(image.open()).to(model.device)
        (predicted,), (label,) = tracer.traces(torch.stack([inputs] * 2), [tracer.settings], [None, image.label])
        size = (image.width, image.height)
        one, other = read_boxes([predicted, label], [tracer.settings.config] * 2, size)
        yield Looked(
            image.id,
            predicted.target == label.target,
            model.class_name(label.target),
            model.class_name(predicted.target),
            predicted.probability,
            label.probability,
            iou(one, image.boxes),
            iou(other, image.boxes),
            iou(one, other[None]) if other.any() else 0.0,
        )


def groups(rows: Sequence[Looked]) -> list[Group]:
    """The figures of the right and of the wrong predictions; a group without images is left out."""
    found = []
    for name, right in (("right", True), ("wrong", False)):
        group = [row for row in rows if row.right is right]
        if group:
            success = rate([row.iou >= 0.5 for row in group])
            means = [float(np.mean([getattr(row, of) for row in group])) for of in ("iou", "label_iou", "same_place")]
            found.append(Group(name, len(group), *success, *means))
    return found
