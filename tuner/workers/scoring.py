"""What one image is worth to each arm: the value that the job's reward gives its explanation. No Ray, no database."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from tracer import Model, Settings
from tracer.reading import Reading
from tuner.datasets import Dataset
from tuner.errors import ScoringError
from tuner.rewards import Judge, Scene, make_judge
from tuner.rewards.scene import Known
from tuner.spec.job import TRACER, JobSpec
from tuner.workers.hashing import identify
from tuner.workers.identity import Identity

if TYPE_CHECKING:
    from PIL import Image

REMEMBERED = 1000
"""Images of which a scorer keeps what the network said with parts hidden: arms that come back to one find it known."""


class Reader(Protocol):
    """Explains images with any settings."""

    def readings(
        self, images: "Sequence[Image.Image]", settings: Sequence[Settings], targets: Sequence[int] | None = None
    ) -> list[list[Reading]]:
        """What each of the settings reads of each image, ``[image][setting]``."""
        ...


@dataclass(frozen=True)
class Scorer:
    """Scores the images of a data set with one network.

    Args:
        dataset: Images, with the boxes of their instances where they have any.
        model: The network.
        reader: Explains it.
        judge: The reward.
        target: The class explained: the ``"predicted"`` one, or the image's ``"label"``.
    """

    dataset: Dataset
    model: Model
    reader: Reader
    judge: Judge
    target: str = "predicted"
    _tracing: Lock = field(default_factory=Lock, repr=False, compare=False)  # one traces while another decodes
    _known: OrderedDict[int, Known] = field(default_factory=OrderedDict, repr=False, compare=False)

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        """The value of each arm on an image; arguments and errors as of :meth:`explain`.

        Returns:
            float64 of shape (settings,), each in [0, 1].
        """
        return self.explain(image, settings)[1]

    def explain(self, image: int, settings: Sequence[Settings]) -> tuple[list[Reading], NDArray[np.float64]]:
        """What each arm reads of an image, and the values that this has.

        Args:
            image: Index in the data set.
            settings: What to explain it with, each once.

        Raises:
            ScoringError: If the label is to be explained and the image has none, or a box or a value is not finite.
        """
        labelled = self.dataset[image]
        targets = None
        if self.target == "label":
            if labelled.label is None:
                raise ScoringError(f"image {labelled.id} has no label: give it one, or explain the predicted class")
            targets = [labelled.label]
        pixels = labelled.open()
        with self._tracing:
            scene = Scene(labelled, pixels, self.model, self._remembered(image))
            readings = self.reader.readings([pixels], settings, targets)[0]
            if not all(np.isfinite(reading.box).all() for reading in readings):
                raise ScoringError(f"image {labelled.id}: a trace left a box that is not finite")
            values = np.asarray(self.judge(scene, readings), dtype=np.float64)
        if values.shape != (len(settings),) or not ((values >= 0) & (values <= 1)).all():
            raise ScoringError(f"image {labelled.id}: the reward is not one value in [0, 1] an arm; mend its factory")
        return readings, values

    def _remembered(self, image: int) -> Known:
        """What the network said of an image before, to be added to."""
        known = self._known.setdefault(image, {})
        self._known.move_to_end(image)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known


def make_scorer(spec: JobSpec, dataset: Dataset, device: str = "cpu", identity: Identity | None = None) -> Scorer:
    """The scorer of a job: its network loaded, on a device.

    Args:
        spec: The job.
        dataset: Its images.
        device: Where the network is put.
        identity: What the job began with; not compared without it.

    Raises:
        ChangedError: If network or code that were loaded are not the same.
        TracerError: If the architecture is unknown, the checkpoint does not fit, the network cannot be traced, or the
            explainer or the reward cannot be made.
    """
    from tracer import load_model

    model = load_model(spec.architecture, spec.checkpoint, device=device)
    reader, judge = make_reader(spec, model), make_judge(spec.reward, model)
    if identity is not None:
        identity.check(identify(spec, model, reader, judge), spec)
    return Scorer(dataset, model, reader, judge, spec.target)


def make_reader(spec: JobSpec, model: Model) -> Reader:
    """What explains the network of a job: the tracer, or another explainer.

    Raises:
        FactoryError: If the explainer cannot be imported, or fails.
    """
    from tracer import Tracer
    from tuner.workers.explainer import ExplainedMaps

    return Tracer(model) if spec.explainer == TRACER else ExplainedMaps(model, spec.explainer)
