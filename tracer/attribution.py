"""The tracer in the manner of Captum's attribution methods, for tools that compare methods through that interface."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor, nn

from tracer.config import TraceConfig
from tracer.errors import TargetError
from tracer.evidence import Alpha
from tracer.models import Model
from tracer.trace import DEFAULT, Tracer
from tracer.weights import Weights

Target = int | str | Sequence[int | str | None] | Tensor | None
"""Classes to explain, by index or name: one for all images, or one an image; ``None`` for the predicted one."""


class TracerAttribution:
    """Attributes a class's evidence to the pixels of a batch: ``TracerAttribution(model).attribute(inputs, target=1)``.

    Args:
        model: As :class:`tracer.Tracer` takes it, with its other arguments.
        config: How to trace.
        alpha: The weights, or a weight file with weights and configuration.

    Raises:
        TracerError: As :class:`tracer.Tracer`.
    """

    def __init__(
        self, model: Model | nn.Module, config: TraceConfig | None = None, alpha: Alpha | Weights | None = DEFAULT
    ) -> None:
        self.tracer = Tracer(model, config, alpha)

    @overload
    def attribute(self, inputs: Tensor, target: Target = None) -> Tensor: ...

    @overload
    def attribute(self, inputs: tuple[Tensor], target: Target = None) -> tuple[Tensor]: ...

    def attribute(self, inputs: Tensor | tuple[Tensor], target: Target = None) -> Tensor | tuple[Tensor]:
        """The part of the class's evidence that each number of the input holds.

        It is the map of shares, blurred by the setting ``spread``. Its values are at least 0 and sum to 1 over an
        image. The tracer follows evidence to places, not to colours, so the channels of a pixel share alike.

        Args:
            inputs: Images normalised for the network, shape (b, channels, h, w); also a tuple of them alone.
            target: The classes to explain.

        Returns:
            A tensor of the inputs' shape, type and device; a tuple for a tuple.

        Raises:
            InputError, TargetError, DepthError: As :meth:`tracer.Tracer.trace`.
        """
        if isinstance(inputs, tuple):
            (images,) = inputs
            return (self.attribute(images, target),)
        settings = self.tracer.settings
        traces = self.tracer.traces(inputs, [settings], _classes(target, len(inputs)))
        height, width = inputs.shape[2:]
        maps = np.stack([trace.saliency(settings.config.spread, (width, height)) for (trace,) in traces])
        maps /= maps.sum(axis=(1, 2), keepdims=True) * inputs.shape[1]
        return torch.from_numpy(maps).to(inputs)[:, None].expand_as(inputs).contiguous()


def _classes(target: Target, images: int) -> Sequence[int | str | None] | None:
    """A class for each image, as :class:`tracer.Tracer` takes them."""
    if isinstance(target, Tensor):
        if target.is_floating_point() or target.ndim > 1:
            raise TargetError(
                f"target of shape {tuple(target.shape)}, {target.dtype}: give whole numbers, one an image"
            )
        target = target.tolist()
    return [target] * images if isinstance(target, (int, str)) else target
