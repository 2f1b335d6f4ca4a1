"""Trace predictions back to pixels, for many settings of the weights at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tracer.config import TraceConfig
from tracer.errors import InputError, TargetError
from tracer.evidence import Alpha, LayerAlphas, as_table
from tracer.explanation import Explanation
from tracer.images import read_image, to_rgb
from tracer.models import Model
from tracer.neurons import Neurons
from tracer.points import box
from tracer.walk import ImageWalk, Plan
from tracer.weights import Weights

DEFAULT = Alpha()


@dataclass(frozen=True)
class Trace:
    """The discriminative pixels of one image under one setting of the weights.

    Args:
        points: Rows and columns in the network's input, int64 of shape (n, 2), distinct, in row-major order.
        shares: Each point's share of the class's evidence, float64 of shape (n,), positive; they sum to 1.
        shape: Height and width of the network's input, in pixels.
        target: Index of the class explained.
        probability: The network's probability of that class.
    """

    points: NDArray[np.int64]
    shares: NDArray[np.float64]
    shape: tuple[int, int]
    target: int
    probability: float


class Tracer:
    """Explains a network's predictions by tracing them back to pixels (Section 3).

    Args:
        model: A model of :func:`tracer.load_model`, or any classifier of the user's own; it is left as found.
        config: How to trace.
        alpha: The weights that :meth:`explain` uses. A weight file also says how to trace, where ``config`` does not.

    Raises:
        WeightsError: If a weight file was learned for another architecture, or names a layer that the model lacks.
        ExportError: If the network cannot be captured (raised at the first trace of a size of image).
        UnsupportedOperatorError: If an operator has no rule (likewise).
    """

    def __init__(
        self, model: Model | nn.Module, config: TraceConfig | None = None, alpha: Alpha | Weights = DEFAULT
    ) -> None:
        self.model = model if isinstance(model, Model) else Model.of(model)
        if isinstance(alpha, Weights) and isinstance(model, Model):
            alpha.check(model.architecture)
        self._check_layers([alpha])
        self.config = config or (alpha.tracer if isinstance(alpha, Weights) else TraceConfig())
        self.alpha = alpha
        self._plans: dict[tuple[int, int], Plan] = {}

    def trace(
        self, batch: Tensor, alphas: Sequence[LayerAlphas], targets: Sequence[int | None] | None = None
    ) -> list[list[Tensor]]:
        """Discriminative points of every image under every setting of the weights.

        Args:
            batch: Images, shape (b, 3, h, w), normalised for the network (:meth:`tracer.Model.preprocess`).
            alphas: The settings; all are traced in one pass.
            targets: Class to explain of each image; ``None`` for the predicted one.

        Returns:
            ``points[image][alpha]``, an int64 tensor (n, 2) of rows and columns in the network's input.

        Raises:
            InputError: If the batch has a wrong shape, or the network's scores of an image are not finite.
            TargetError: If a target is no class of the network.
            WeightsError: If weights of its own are given to a layer that the network lacks.
        """
        return [[torch.from_numpy(trace.points) for trace in traces] for traces in self.traces(batch, alphas, targets)]

    def traces(
        self, batch: Tensor, alphas: Sequence[LayerAlphas], targets: Sequence[int | None] | None = None
    ) -> list[list[Trace]]:
        """What :meth:`trace` returns, with the points' shares, the class and its probability."""
        if batch.ndim != 4:
            raise InputError(f"a batch of shape {tuple(batch.shape)}: expected (b, 3, h, w)")
        plan = self.plan((batch.shape[2], batch.shape[3]))
        scores, activations = plan.forward(batch)
        classes = _classes(scores, targets)
        probabilities = scores.double().softmax(1)
        if not alphas:
            return [[] for _ in classes]
        distinct = list(dict.fromkeys(alphas))
        self._check_layers(distinct)
        tables: dict[str, NDArray[np.float64]] = {}

        def table(layer: str) -> NDArray[np.float64]:
            if layer not in tables:
                tables[layer] = as_table([alpha.at(layer) for alpha in distinct])
            return tables[layer]

        size = (batch.shape[2], batch.shape[3])
        found = []
        for image, target in enumerate(classes):
            neurons = ImageWalk(plan, activations, image, table).run(target, len(distinct))
            probability = float(probabilities[image, target])
            of_alpha = dict(zip(distinct, _points(neurons, size, target, probability), strict=True))
            found.append([of_alpha[alpha] for alpha in alphas])
        return found

    def boxes(
        self,
        images: Sequence[Image.Image],
        alphas: Sequence[LayerAlphas],
        targets: Sequence[int | None] | None = None,
    ) -> NDArray[np.float64]:
        """The box around the discriminative points of every image under every setting of the weights.

        Args:
            images: Pictures of any sizes and modes.
            alphas: The settings; all are traced in one pass.
            targets: Class to explain of each image; ``None`` for the predicted one.

        Returns:
            Half-open boxes x0, y0, x1, y1 in pixels of each image, shape (images, alphas, 4).

        Raises:
            ImageError: If an image has no clear RGB reading.
            InputError, TargetError: As :meth:`trace`.
        """
        upright = [to_rgb(image) for image in images]
        batch = torch.stack([self.model.preprocess(image) for image in upright])
        return np.array(
            [
                [box(trace.points, trace.shares, trace.shape, image.size, self.config) for trace in traces]
                for image, traces in zip(upright, self.traces(batch, alphas, targets), strict=True)
            ]
        )

    def explain(self, image: Image.Image | str | Path, target: int | None = None) -> Explanation:
        """Why the network gives an image a class, with the tracer's own weights.

        Args:
            image: A picture of any size and mode, or its file.
            target: The class to explain; ``None`` for the predicted one.

        Raises:
            ImageError: If the file is missing or corrupt, or the image has no clear RGB reading.
            InputError, TargetError: As :meth:`trace`.
        """
        source = None if isinstance(image, Image.Image) else Path(image)
        picture = to_rgb(image) if isinstance(image, Image.Image) else read_image(Path(image))
        ((trace,),) = self.traces(self.model.preprocess(picture)[None], [self.alpha], [target])
        return Explanation.of(trace, picture, self.model, self.alpha, self.config, source)

    def _check_layers(self, alphas: Sequence[LayerAlphas]) -> None:
        """Make sure that the network has every layer that weights of its own are given to."""
        for alpha in alphas:
            if isinstance(alpha, Weights) and alpha.layers:
                alpha.check_layers(dict(self.model.module.named_modules()))

    def plan(self, size: tuple[int, int]) -> Plan:
        """The network's graph and rules for images of a height and width, made at first use."""
        if size not in self._plans:
            self._plans[size] = Plan(self.model.module, size, self.config)
        return self._plans[size]


def _classes(scores: Tensor, targets: Sequence[int | None] | None) -> list[int]:
    """The class to explain of each image."""
    bad = torch.nonzero(~torch.isfinite(scores).all(dim=1)).flatten().tolist()
    if bad:
        raise InputError(f"the network's scores of image {bad[0]} of the batch are not finite; check its normalisation")
    predicted: list[int] = scores.argmax(dim=1).tolist()
    if targets is None:
        return predicted
    if len(targets) != len(predicted):
        raise TargetError(f"{len(targets)} targets for {len(predicted)} images; give one for each")
    for target in targets:
        if target is not None and not 0 <= target < scores.shape[1]:
            raise TargetError(f"target {target}: the network has classes 0 to {scores.shape[1] - 1}")
    return [guess if target is None else target for guess, target in zip(predicted, targets, strict=True)]


def _points(neurons: Neurons, shape: tuple[int, int], target: int, probability: float) -> list[Trace]:
    """Each track's pixels: the channels of a pixel are one point, and their shares add up."""
    pixels, channel_of = np.unique(neurons.index // 3, return_inverse=True)
    shares = np.zeros((len(pixels), neurons.shares.shape[1]))
    np.add.at(shares, channel_of, neurons.shares)
    places = np.stack([pixels // shape[1], pixels % shape[1]], axis=1).astype(np.int64)
    return [Trace(places[column > 0], column[column > 0], shape, target, probability) for column in shares.T]
