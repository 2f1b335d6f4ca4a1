"""One image as rewards see it: its pixels and boxes, and the network on it with parts hidden."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tracer import Model
from tuner.datasets import LabelledImage

if TYPE_CHECKING:
    from PIL import Image

BATCH = 32
"""Images that the network sees at a time."""

Mask = NDArray[np.bool_]
"""The pixels of the network's input that stay, bool of shape (h, w)."""

Known = dict[tuple[str, bytes, int], float]
"""The probabilities computed for an image: by what covers its hidden part, a hash of the mask, and a class."""


@dataclass(frozen=True, eq=False)
class Occlusion:
    """How probable classes are with parts of one image hidden. What was seen before is not computed again.

    Args:
        model: The network.
        inputs: The image as the network takes it, shape (3, h, w).
        cover: What is seen where the image is hidden, of the same shape.
        name: Of the cover.
        known: What was computed; grows.
    """

    model: Model
    inputs: Tensor
    cover: Tensor
    name: str
    known: Known

    def probabilities(self, masks: Sequence[Mask], targets: Sequence[int]) -> NDArray[np.float64]:
        """The probability of a class for each mask, float64 of shape (masks,).

        Args:
            masks: What stays; equal ones are computed once, the others in batches.
            targets: The class of each.
        """
        keys = [(self.name, _digest(mask), target) for mask, target in zip(masks, targets, strict=True)]
        new = {key: mask for key, mask in zip(keys, masks, strict=True) if key not in self.known}
        waiting = list(new.items())
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            kept = torch.from_numpy(np.stack([mask for _, mask in batch]))[:, None].to(self.inputs.device)
            with torch.inference_mode():
                found = self.model.scores(torch.where(kept, self.inputs, self.cover)).double().softmax(1)
            for row, (key, _) in zip(found, batch, strict=True):
                self.known[key] = float(row[key[2]])
        return np.array([self.known[key] for key in keys], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Scene:
    """An image that explanations are judged on.

    Args:
        image: Its id, size, and the boxes of its instances where the data set has any.
        pixels: The picture.
        model: The network that is explained.
        known: What the network said of the image with parts hidden, where it was asked before.
    """

    image: LabelledImage
    pixels: "Image.Image"
    model: Model
    known: Known = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image, in pixels."""
        return (self.image.width, self.image.height)

    @cached_property
    def inputs(self) -> Tensor:
        """The image as the network takes it, float32 of shape (3, h, w), on the network's device."""
        return self.model.preprocess(self.pixels).to(self.model.device)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return (self.inputs.shape[1], self.inputs.shape[2])

    @cached_property
    def on_grey(self) -> Occlusion:
        """The network on the image with parts painted in the mean colour of its training images."""
        return Occlusion(self.model, self.inputs, torch.zeros_like(self.inputs), "grey", self.known)

    @cached_property
    def on_blur(self) -> Occlusion:
        """The network on the image with parts blurred: a Gaussian of 5 pixels at a height of 224, as RISE has it."""
        from torchvision.transforms.functional import gaussian_blur

        deviation = 5 * self.shape[0] / 224
        side = 2 * max(1, round(deviation)) + 1
        cover = gaussian_blur(self.inputs, [side, side], [deviation, deviation])
        return Occlusion(self.model, self.inputs, cover, "blur", self.known)


def _digest(mask: Mask) -> bytes:
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
