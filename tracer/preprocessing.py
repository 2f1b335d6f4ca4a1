"""From an image to what a network takes."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from tracer.images import to_rgb

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocessing:
    """Resizes the whole image to the network's input, without crop, and normalises it.

    Every pixel of the image thus lies in the input, and a point of the input lies in the image.

    Args:
        height: Rows of the input, at least 1.
        width: Columns of the input, at least 1.
        mean: Subtracted from red, green and blue, on the scale 0 to 1. One number alone is subtracted from the luma of
            a greyscale input, which has one channel.
        std: What the difference is divided by, likewise; each above 0.
        interpolation: How the image is resized: ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``; all but the
            first antialiased.

    Raises:
        ValueError: If a size or a deviation is not positive, the numbers of channels differ or are neither 1 nor 3, or
            the interpolation is none of these.
    """

    height: int = 224
    width: int = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"input of {self.height} x {self.width}: both must be at least 1")
        if not all(deviation > 0 for deviation in self.std):
            raise ValueError(f"std={self.std!r}: each must be above 0")
        if len(self.mean) not in {1, 3} or len(self.std) != len(self.mean):
            raise ValueError(f"mean={self.mean!r}, std={self.std!r}: write three numbers each, or one for greyscale")
        if self.interpolation not in _RESAMPLING:
            raise ValueError(f"interpolation={self.interpolation!r}: write one of {', '.join(_RESAMPLING)}")

    @property
    def channels(self) -> int:
        """How many the input has: 3, or 1 for greyscale."""
        return len(self.mean)

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """The network's input, float32 of shape (channels, height, width).

        Raises:
            ImageError: If the image has no clear RGB reading.
        """
        picture = to_rgb(image) if self.channels == 3 else to_rgb(image).convert("L")
        resized = np.array(picture.resize((self.width, self.height), _RESAMPLING[self.interpolation]), np.float32)
        pixels = torch.from_numpy(np.atleast_3d(resized)).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(values).reshape(-1, 1, 1) for values in (self.mean, self.std))
        return ((pixels - mean) / std).contiguous()
