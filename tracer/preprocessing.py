"""From an image to what a network takes."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from tracer.images import to_rgb

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resizes the whole image to the network's input, without crop, and normalises it.

    Every pixel of the image thus lies in the input, and a point of the input lies in the image.

    Args:
        height: Rows of the input, at least 1.
        width: Columns of the input, at least 1.
        mean: Subtracted from red, green and blue, on the scale 0 to 1.
        std: What the difference is divided by, likewise; each above 0.

    Raises:
        ValueError: If a size or a deviation is not positive.
    """

    height: int = 224
    width: int = 224
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"input of {self.height} x {self.width}: both must be at least 1")
        if not all(deviation > 0 for deviation in self.std):
            raise ValueError(f"std={self.std!r}: each must be above 0")

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """The network's input, float32 of shape (3, height, width); bilinear and antialiased.

        Raises:
            ImageError: If the image has no clear RGB reading.
        """
        resized = to_rgb(image).resize((self.width, self.height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).to(torch.float32) / 255
        mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (self.mean, self.std))
        return ((pixels - mean) / std).contiguous()
