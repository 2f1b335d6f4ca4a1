"""Trace predictions back, for many settings at once, and read boxes off what is found."""

import contextlib
import logging
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tracer.ahead import batches, map_ahead
from tracer.config import TraceConfig
from tracer.errors import InputError, TargetError, WeightsError, nearest
from tracer.evidence import Alpha
from tracer.explanation import Explanation
from tracer.files import sha256
from tracer.images import read_image, to_rgb
from tracer.models import Model
from tracer.network import Network
from tracer.reading import Reading, Trace, boxes_of, read
from tracer.settings import Settings
from tracer.stages import Walks
from tracer.walk import Plan
from tracer.weights import Weights

logger = logging.getLogger(__name__)

DEFAULT = Alpha()
BATCH = 8
"""How many images share a forward pass, where many are explained."""

Target = int | str | None
"""A class to explain, by index or, in any case, by name; ``None`` for the predicted one."""


class Tracer:
    """Explains a network's predictions by tracing them back (Section 3).

    Args:
        model: A model of :func:`tracer.load_model`, or any classifier of the user's own; it is left as found.
        config: How to trace; by default as the weight file says, or :class:`TraceConfig`'s defaults.
        alpha: The weights that :meth:`explain` uses, or a weight file with weights and configuration, such as
            :func:`tracer.learned_weights` returns; ``None`` for the defaults, as where it finds none.

    Raises:
        TypeError: If the model or the weights are something else.
        WeightsError: If a weight file was learned for another architecture, or names a layer that the model lacks.
        ExportError: If the network cannot be captured (raised at the first trace of a size of image).
        UnsupportedOperatorError: If an operator has no rule (likewise).
        DepthError: If the network has no such cut to read at (likewise).
    """

    def __init__(
        self, model: Model | nn.Module, config: TraceConfig | None = None, alpha: Alpha | Weights | None = DEFAULT
    ) -> None:
        if not isinstance(alpha, (Alpha, Weights, type(None))):
            raise TypeError(f"alpha of type {type(alpha).__name__}: give an Alpha, or what tracer.load_weights returns")
        if not isinstance(config, (TraceConfig, type(None))):
            raise TypeError(f"config of type {type(config).__name__}: give a TraceConfig")
        alpha = alpha or DEFAULT
        self.model = model if isinstance(model, Model) else Model.of(model)
        settings = Settings(alpha) if isinstance(alpha, Alpha) else alpha.settings
        if isinstance(alpha, Weights) and isinstance(model, Model):
            alpha.check_architecture(model.architecture)
            if note := alpha.describe_parameters(model):
                logger.warning(note)
        self.settings = settings if config is None else replace(settings, config=config)
        self.check_layers([self.settings])
        self._plans: dict[tuple[int, int], Plan] = {}

    def trace(
        self, batch: Tensor, alphas: Sequence[Alpha | Settings], targets: Sequence[Target] | None = None
    ) -> list[list[Tensor]]:
        """Points with evidence of every image under every setting.

        Args:
            batch: Images, shape (b, 3, h, w), normalised for the network (:meth:`tracer.Model.preprocess`).
            alphas: Weights to trace with under the tracer's configuration, or whole settings; all in one pass.
            targets: Class to explain of each image; ``None`` for the predicted one.

        Returns:
            ``points[image][alpha]``, an int64 tensor (n, 2) of rows and columns in the network's input. Read above the
            image, a point lies at the centre of its cell.

        Raises:
            InputError: If the batch has a wrong shape, or the network's scores of an image are not finite.
            TargetError: If a target is no class of the network.
            DepthError: If the network has no cut to read at of such a name.
            WeightsError: If weights of its own are given to a layer that the network lacks.
        """
        return [[torch.from_numpy(trace.pixels) for trace in traces] for traces in self.traces(batch, alphas, targets)]

    def traces(
        self, batch: Tensor, alphas: Sequence[Alpha | Settings], targets: Sequence[Target] | None = None
    ) -> list[list[Trace]]:
        """What :meth:`trace` returns, with the points' shares, the class and its probability.

        The batch is traced at its own size, whatever the setting ``input`` says.
        """
        if not isinstance(batch, Tensor):
            raise TypeError(f"batch of type {type(batch).__name__}: give a tensor of shape (b, 3, h, w)")
        asked = None if targets is None else self._indices(targets)
        return self._read(batch, self._arms(alphas), lambda scores: list(enumerate(_classes(scores, asked))))

    def boxes(
        self,
        images: Sequence[Image.Image],
        settings: Sequence[Settings],
        targets: Sequence[Target] | None = None,
    ) -> NDArray[np.float64]:
        """The box of every image under every setting, as :meth:`readings` draws it.

        Returns:
            Half-open boxes x0, y0, x1, y1 in pixels of each image, shape (images, settings, 4).

        Raises:
            ImageError: If an image has no clear RGB reading.
            InputError, TargetError, DepthError, WeightsError: As :meth:`trace`.
        """
        found = self.readings(images, settings, targets)
        return np.array([boxes_of(readings) for readings in found]).reshape(len(images), len(settings), 4)

    def readings(
        self,
        images: Sequence[Image.Image],
        settings: Sequence[Settings],
        targets: Sequence[Target] | None = None,
    ) -> list[list[Reading]]:
        """What every setting reads of every image; what settings have in common is computed once.

        Args:
            images: Pictures of any sizes and modes.
            settings: What to explain with.
            targets: Class to explain of each image; ``None`` for the one predicted at the setting's size of input.

        Returns:
            ``readings[image][setting]``.

        Raises:
            ImageError: If an image has no clear RGB reading.
            InputError, TargetError, DepthError, WeightsError: As :meth:`trace`.
        """
        if not images:
            return []
        upright = [_upright(image) for image in images]
        found: list[dict[int, Reading]] = [{} for _ in images]
        for pixels, places in _by_input(settings).items():
            arms = [settings[place] for place in places]
            batch = torch.stack([self.model.preprocess(image, pixels) for image in upright])
            for number, traces in enumerate(self.traces(batch, arms, targets)):
                readings = read(traces, [arm.config for arm in arms], upright[number].size)
                found[number] |= dict(zip(places, readings, strict=True))
        return [[of_image[place] for place in range(len(settings))] for of_image in found]

    def explain(self, image: Image.Image | str | Path, target: Target = None) -> Explanation:
        """Why the network gives an image a class, with the tracer's own settings.

        Args:
            image: A picture of any size and mode, or its file.
            target: The class to explain, by index or name; ``None`` for the predicted one.

        Raises:
            TypeError: If the image or the target is something else.
            ImageError: If the file is missing or corrupt, or the image has no clear RGB reading.
            InputError, TargetError, DepthError: As :meth:`trace`.
        """
        return self.explain_classes(image, [self.settings], [target])[0][0]

    def explain_many(
        self, images: Iterable[Image.Image | str | Path], *, batch: int = BATCH, jobs: int = 2
    ) -> Iterator[Explanation]:
        """Explanations of the predicted classes of many images, in their order, as they are made.

        Images are decoded in threads while others are traced, and a batch of them shares its forward pass. No more than
        a few batches are in memory, however many images there are.

        Args:
            images: Pictures of any sizes and modes, or their files.
            batch: How many images share a forward pass, at least 1.
            jobs: Threads that decode, at least 1.

        Raises:
            ImageError: If a file is missing or corrupt, once those before it were explained.
            InputError, DepthError: As :meth:`trace`.
        """
        for explained in self.explain_stream(images, [self.settings], batch=batch, jobs=jobs):
            yield explained[0][0]

    def explain_stream(
        self,
        images: Iterable[Image.Image | str | Path],
        settings: Sequence[Settings],
        targets: Sequence[Target] = (None,),
        *,
        top: int | None = None,
        batch: int = BATCH,
        jobs: int = 2,
    ) -> Iterator[list[list[Explanation]]]:
        """What :meth:`explain_classes` returns of each of many images, read and batched as by :meth:`explain_many`."""
        if isinstance(images, (str, Path, Image.Image)):
            raise TypeError(f"images of type {type(images).__name__}: give several, such as [image]")
        sizes = list(_by_input(settings))
        pictures = map_ahead(lambda image: self._picture(image, sizes), images, jobs, 2 * batch)
        for together in batches(pictures, batch):
            yield from self._explain(together, settings, targets, top)

    def explain_classes(
        self,
        image: Image.Image | str | Path,
        settings: Sequence[Settings],
        targets: Sequence[Target] = (None,),
        *,
        top: int | None = None,
    ) -> list[list[Explanation]]:
        """Explanations of several classes of one image under several settings, ``[class][setting]``.

        One forward pass serves all classes and all settings that take the same size of input.

        Args:
            image: A picture of any size and mode, or its file.
            settings: What to explain with, at least one; the first decides which classes are the most probable.
            targets: The classes to explain; ``None`` for the predicted one.
            top: Explain so many of the most probable classes in their place.

        Raises:
            ImageError: If the file is missing or corrupt, or the image has no clear RGB reading.
            InputError, TargetError, DepthError: As :meth:`trace`.
        """
        return self._explain([self._picture(image, list(_by_input(settings)))], settings, targets, top)[0]

    def _picture(self, image: Image.Image | str | Path, sizes: Sequence[int | None]) -> "_Picture":
        if isinstance(image, (str, os.PathLike)):
            source = Path(image)
            pixels = read_image(source)
        else:
            source, pixels = None, _upright(image)
        inputs = {size: self.model.preprocess(pixels, size) for size in sizes}
        return _Picture(pixels, inputs, source, None if source is None else sha256(source))

    def _explain(
        self,
        pictures: Sequence["_Picture"],
        settings: Sequence[Settings],
        targets: Sequence[Target],
        top: int | None,
    ) -> list[list[list[Explanation]]]:
        """Explanations ``[image][class][setting]`` of images that share their forward passes."""
        asked = self._indices(targets)
        classes = top or len(asked)
        explained: list[tuple[int, int]] = []

        def choose(scores: Tensor) -> list[tuple[int, int]]:
            """Image and class of each explanation; those that the first settings chose, for the others too."""
            if not explained:
                of_images = _top(scores, top) if top else _each(scores, asked)
                explained.extend((image, target) for image, row in enumerate(of_images) for target in row)
            return explained

        found: dict[int, list[Trace]] = {}
        for size, places in _by_input(settings).items():
            batch = torch.stack([picture.inputs[size] for picture in pictures])
            traces = self._read(batch, self._arms([settings[place] for place in places]), choose)
            found |= {place: [row[number] for row in traces] for number, place in enumerate(places)}

        def explanation(image: int, number: int, place: int) -> Explanation:
            picture, trace = pictures[image], found[place][image * classes + number]
            return Explanation.of(trace, picture.pixels, self.model, settings[place], picture.source, picture.digest)

        return [
            [[explanation(image, number, place) for place in range(len(settings))] for number in range(classes)]
            for image in range(len(pictures))
        ]

    def plan(self, size: tuple[int, int]) -> Plan:
        """The network's graph and rules for images of a height and width, made at first use."""
        if size not in self._plans:
            model = self.model
            self._plans[size] = Plan(Network(model.module, size, model.preprocessing.channels, model.class_scores))
        return self._plans[size]

    def _read(
        self, batch: Tensor, arms: Sequence[Settings], choose: Callable[[Tensor], Sequence[tuple[int, int]]]
    ) -> list[list[Trace]]:
        """The evidence for classes of the images of a batch under settings that take its size.

        Args:
            batch: Images, shape (b, 3, h, w).
            arms: The settings.
            choose: Returns from the class scores, shape (b, classes), what to explain: numbers of images and classes.

        Returns:
            A list for each (image, class), with a trace for each of the settings.
        """
        if batch.ndim != 4:
            raise InputError(f"a batch of shape {tuple(batch.shape)}: expected (b, 3, h, w)")
        plan = self.plan((batch.shape[2], batch.shape[3]))
        reads = list(dict.fromkeys(plan.cut(arm.config.depth).operation for arm in arms)) or [plan.network.image]
        scores, activations = plan.forward(batch, reads)
        explained = choose(scores)
        found = Walks(plan, scores, activations, explained)
        found.walk(arms)
        mirrored = [arm for arm in arms if arm.config.flip]
        mirror = None
        if mirrored:
            mirror = Walks(plan, *plan.forward(batch.flip(3), reads), explained)
            mirror.walk(mirrored)
        return [[found.trace(number, arm, mirror) for arm in arms] for number in range(len(explained))]

    def _indices(self, targets: Sequence[Target]) -> list[int | None]:
        """The classes' indices, where some are given by name.

        Raises:
            TypeError: If one is no class, or they are no sequence.
            TargetError: If there is no class of a name.
        """
        if isinstance(targets, (int, str)):
            raise TypeError(f"targets={targets!r}: give several, such as [{targets!r}]")
        return [None if target is None else self._index(target) for target in targets]

    def _index(self, target: int | str) -> int:
        if isinstance(target, str):
            return self.model.class_index(target)
        if not isinstance(target, bool):
            with contextlib.suppress(TypeError):
                return operator.index(target)
        raise TypeError(
            f"target of type {type(target).__name__}: give a class's index or name, or None for the predicted"
        )

    def _arms(self, alphas: Sequence[Alpha | Settings]) -> list[Settings]:
        """Settings, where weights alone are given with the tracer's configuration."""
        arms = [replace(self.settings, alpha=each, layers={}) if isinstance(each, Alpha) else each for each in alphas]
        self.check_layers(arms)
        return arms

    def check_layers(self, settings: Sequence[Settings]) -> None:
        """Make sure that the network has every layer that weights of its own are given to.

        Raises:
            WeightsError: If it has not; names the nearest.
        """
        named = {layer for each in settings for layer in each.layers}
        if not named:
            return
        known = dict(self.model.module.named_modules())
        for layer in named:
            if layer not in known:
                raise WeightsError(f"layers.{layer}: no such layer in the network{nearest(layer, known)}")


def _upright(image: Image.Image) -> Image.Image:
    """The image as upright RGB.

    Raises:
        TypeError: If it is no picture of Pillow's.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"image of type {type(image).__name__}: give a picture of Pillow's (Image.fromarray), or a path"
        )
    return to_rgb(image)


@dataclass(frozen=True)
class _Picture:
    """An image that was read.

    Args:
        pixels: Upright RGB.
        inputs: What the network takes, (3, h, w), by size of input.
        source: The image's file, where it has one.
        digest: Its hash.
    """

    pixels: Image.Image
    inputs: Mapping[int | None, Tensor]
    source: Path | None
    digest: str | None


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


def _each(scores: Tensor, targets: Sequence[int | None]) -> list[list[int]]:
    """The same classes of every image, with the predicted one where none is named."""
    columns = [_classes(scores, [target] * len(scores)) for target in targets]
    return [list(row) for row in zip(*columns, strict=True)]


def _top(scores: Tensor, count: int) -> list[list[int]]:
    """The most probable classes of each image, highest first."""
    _classes(scores, None)
    if count > scores.shape[1]:
        raise TargetError(f"the {count} most probable classes: the network has {scores.shape[1]}")
    classes: list[list[int]] = scores.topk(count).indices.tolist()
    return classes


def _by_input(settings: Sequence[Settings]) -> dict[int | None, list[int]]:
    """The numbers of the settings that take each size of input."""
    places: dict[int | None, list[int]] = {}
    for place, arm in enumerate(settings):
        places.setdefault(arm.config.input, []).append(place)
    return places
