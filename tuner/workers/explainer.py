"""Any attribution method in the tracer's place: its maps are read off alike, and the read-off is what is tuned.

A job file names a *factory*::

    explainer: package.module:factory        # or file.py:factory
    arms: {spread: [0, 8, 16], cut: [0.2, 0.3, 0.4, mass 0.6]}

The factory takes the job's :class:`tracer.Model` and returns an :class:`Explainer`. It is called once in each worker.
``examples/grad_cam_pp.py`` is one for Grad-CAM++ of a library.
"""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from tracer import Model, Settings, TraceConfig
from tracer.factories import make
from tracer.images import to_rgb
from tracer.maps import Map, blur, patch_boxes
from tracer.reading import CELL, Reading
from tuner.errors import SpecError

if TYPE_CHECKING:
    from PIL import Image


class Explainer(Protocol):
    """An attribution method for one network."""

    def __call__(self, batch: Tensor, targets: Tensor) -> Tensor | Mapping[str, Tensor]:
        """Maps of a batch, each for its class.

        Args:
            batch: Images, float32 of shape (b, 3, h, w), normalised for the network, on its device.
            targets: The class to explain of each, int64 of shape (b,).

        Returns:
            Finite maps of at least 0, shape (b, rows, columns), which cover the whole image at any resolution. A method
            that can be read at several layers gives a mapping from the name of each variant to such maps. The setting
            ``depth`` chooses among the names; where a job says nothing of it, the last is read.
        """
        ...


class ExplainedMaps:
    """An explainer's maps, read off as the tracer's own are (:class:`tuner.workers.scoring.Reader`).

    Args:
        model: The network.
        named: The explainer's factory, as a job file names it.

    Raises:
        FactoryError: If it cannot be imported, or fails.
    """

    def __init__(self, model: Model, named: str) -> None:
        self._model = model
        self._named = named
        self._explain: Explainer = make(named, model)

    def readings(
        self, images: "Sequence[Image.Image]", settings: Sequence[Settings], targets: Sequence[int | None] | None = None
    ) -> list[list[Reading]]:
        """What every read-off makes of every image, ``[image][setting]``; each map is blurred once a spread.

        Args:
            images: Pictures of any sizes and modes.
            settings: What the maps are read off with: their ``depth``, ``spread`` and ``cut``.
            targets: Class to explain of each image; ``None`` for the predicted one.

        Raises:
            SpecError: If the explainer returns no such maps as :class:`Explainer` says, or has no such variant.
        """
        chosen = [None] * len(images) if targets is None else targets
        return [self._read(to_rgb(image), settings, target) for image, target in zip(images, chosen, strict=True)]

    def _read(self, image: "Image.Image", settings: Sequence[Settings], target: int | None) -> list[Reading]:
        batch = self._model.preprocess(image)[None].to(self._model.device)
        if target is None:
            with torch.inference_mode():
                target = int(self._model.scores(batch)[0].argmax())
        maps = self._maps(batch, target)
        groups: dict[tuple[str, float], list[int]] = {}
        for place, one in enumerate(settings):
            groups.setdefault((self._variant(one, maps), one.config.spread), []).append(place)
        shape = (-(-batch.shape[2] // CELL), -(-batch.shape[3] // CELL))
        readings: dict[int, Reading] = {}
        for (variant, spread), places in groups.items():
            draw = cache(partial(blur, maps[variant], spread, shape, image.size))
            boxes = patch_boxes(draw(), [settings[place].config.cut for place in places], image.size)
            readings |= {place: Reading(box, target, draw) for place, box in zip(places, boxes, strict=True)}
        return [readings[place] for place in range(len(settings))]

    def _maps(self, batch: Tensor, target: int) -> dict[str, Map]:
        """The map of each variant of one image; of a method without any, its only one, whose name is empty."""
        found = self._explain(batch, torch.tensor([target], device=batch.device))
        named = found if isinstance(found, Mapping) else {"": found}
        return {str(name): self._checked(maps) for name, maps in named.items()}

    def _checked(self, maps: Tensor) -> Map:
        if not isinstance(maps, Tensor) or maps.ndim != 3 or len(maps) != 1 or not maps.numel():
            what = f"a tensor of shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else type(maps).__name__
            raise SpecError(f"explainer {self._named!r}: returns {what} for one image; return maps (b, rows, columns)")
        values: Map = maps[0].detach().double().cpu().numpy()
        if not np.isfinite(values).all() or values.min() < 0:
            raise SpecError(f"explainer {self._named!r}: returns a map with values below 0 or not finite; clip them")
        return values

    def _variant(self, settings: Settings, maps: Mapping[str, Map]) -> str:
        """The name of the map that settings read."""
        depth = settings.config.depth
        name = list(maps)[-1] if depth == TraceConfig().depth else str(depth)
        if name not in maps:
            known = ", ".join(filter(None, maps)) or "none"
            raise SpecError(f"explainer {self._named!r}: has no variant {name!r}; write depth: and one of {known}")
        return name
