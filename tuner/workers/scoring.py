"""What one image is worth to each arm: the IOU of the box that its trace leaves. No Ray, no database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tracer import Model, Settings
from tuner.datasets import Dataset
from tuner.datasets.boxes import iou
from tuner.errors import ChangedError, ScoringError
from tuner.spec.job import TRACER, JobSpec

if TYPE_CHECKING:
    from PIL import Image


class Boxes(Protocol):
    """Traces images with any settings, and boxes what it finds."""

    def boxes(
        self, images: "Sequence[Image.Image]", settings: Sequence[Settings], targets: Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """Half-open boxes x0, y0, x1, y1 in pixels of each image, float64 of shape (images, settings, 4)."""
        ...


@dataclass(frozen=True)
class Scorer:
    """Scores the images of a data set with one network.

    Args:
        dataset: Images with the boxes of their instances.
        tracer: Traces the network and boxes what it finds.
        target: The class explained: the ``"predicted"`` one, or the image's ``"label"``.
    """

    dataset: Dataset
    tracer: Boxes
    target: str = "predicted"
    _tracing: Lock = field(default_factory=Lock, repr=False, compare=False)  # one traces while another decodes

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        """IOU of the box that each trace leaves with the best-overlapping instance of an image (Section 3.2).

        Args:
            image: Index in the data set.
            settings: What to trace it with, each once.

        Returns:
            float64 of shape (settings,), each in [0, 1]; 0 where a trace leaves no box.

        Raises:
            ScoringError: As :meth:`boxes`, or if a box is not finite.
        """
        labelled = self.dataset[image]
        scores = np.array([iou(box, labelled.boxes) for box in self.boxes(image, settings)], dtype=np.float64)
        if not np.isfinite(scores).all():
            raise ScoringError(f"image {labelled.id}: a trace left a box that is not finite")
        return scores

    def boxes(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        """The box that each trace of an image leaves: half-open, in its pixels, float64 of shape (settings, 4).

        Args:
            image: Index in the data set.
            settings: What to trace it with, each once.

        Raises:
            ScoringError: If the label is to be explained and the image has none.
        """
        labelled = self.dataset[image]
        targets = None
        if self.target == "label":
            if labelled.label is None:
                raise ScoringError(f"image {labelled.id} has no label: give it one, or explain the predicted class")
            targets = [labelled.label]
        pixels = labelled.open()
        with self._tracing:
            boxes: NDArray[np.float64] = self.tracer.boxes([pixels], settings, targets)[0]
        return boxes


def make_scorer(spec: JobSpec, dataset: Dataset, device: str = "cpu", parameters_sha256: str | None = None) -> Scorer:
    """The scorer of a job: its network loaded, on a device.

    Args:
        spec: The job.
        dataset: Its images.
        device: Where the network is put.
        parameters_sha256: Hash of the parameters that the job began with; not compared without it.

    Raises:
        ChangedError: If the network that was loaded holds other parameters.
        TracerError: If the architecture is unknown, the checkpoint does not fit, the network cannot be traced, or the
            explainer cannot be made.
    """
    from tracer import load_model

    model = load_model(spec.architecture, spec.checkpoint, device=device)
    if parameters_sha256 not in (None, model.parameters_sha256):
        raise ChangedError(
            f"the parameters of {spec.architecture} are not those that the job began with (sha256 "
            f"{model.parameters_sha256[:12]}, not {str(parameters_sha256)[:12]}): let every node load the same ones"
        )
    return Scorer(dataset, make_boxes(spec, model), spec.target)


def make_boxes(spec: JobSpec, model: Model) -> Boxes:
    """What a job boxes images with: the tracer of a network, or another explainer of it.

    Raises:
        FactoryError: If the explainer cannot be imported, or fails.
    """
    from tracer import Tracer
    from tuner.workers.explainer import ExplainedBoxes

    return Tracer(model) if spec.explainer == TRACER else ExplainedBoxes(model, spec.explainer)


def whole_image_iou(dataset: Dataset, image: int) -> float:
    """IOU of the box around the whole image: the baseline that needs no network."""
    labelled = dataset[image]
    whole = np.array([0, 0, labelled.width, labelled.height], dtype=np.float64)
    return float(iou(whole, labelled.boxes))
