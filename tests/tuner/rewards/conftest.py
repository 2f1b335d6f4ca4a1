"""A network that is easy to reason about, and an image for it."""

from functools import cache, partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tracer import Model, Preprocessing
from tracer.maps import Map
from tracer.reading import Reading
from tuner.datasets import LabelledImage
from tuner.rewards import Scene

SIDE = 32


class Bright(nn.Module):
    """Scores class 1 by how much of the upper left quarter is white, class 0 by nothing; counts what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, batch: Tensor) -> Tensor:
        self.seen += len(batch)
        white = batch[:, :, : SIDE // 2, : SIDE // 2].clamp(min=0).mean(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(white), 4 * white - 2], dim=1)


@pytest.fixture
def network() -> Bright:
    return Bright()


@pytest.fixture
def scene(network: Bright) -> Scene:
    """White in the upper left quarter, where its only box is, and the mean colour elsewhere."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32] = 255
    picture = Image.fromarray(pixels)
    preprocessing = Preprocessing(SIDE, SIDE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    image = LabelledImage("one", 1, np.array([[0.0, 0.0, 32.0, 32.0]]), 64, 64, picture.copy)
    return Scene(image, picture, Model("bright", network, preprocessing))


def reading(box: tuple[float, float, float, float], heat: Map | None = None) -> Reading:
    """What an arm reads that explains class 1; without a map one that falls from the upper left corner."""
    if heat is None:
        heat = np.add.outer(np.arange(8.0)[::-1], np.arange(8.0)[::-1]) / 14
    return Reading(np.array(box), 1, cache(partial(np.copy, heat)))
