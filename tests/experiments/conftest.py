"""A small network and images whose object it sees."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from experiments.cache import Cache
from experiments.methods import Subject, find_method
from experiments.records import Experiment, Found, collect
from experiments.sampling import Sample
from tracer import Alpha, Model, Preprocessing, TraceConfig
from tuner.datasets import ImageList, LabelledImage

SIDE = 32


class Brightness(nn.Module):
    """Two classes: how bright an image is, and how dark. Its evidence for class 0 is exactly the bright pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.bright.weight.copy_(torch.tensor([1.0, -1.0])[:, None, None, None].expand(2, 3, 1, 1))
            self.bright.bias.copy_(torch.tensor([0.0, 0.1]))
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.flatten(self.pool(self.relu(self.bright(image))), 1)


@pytest.fixture
def model() -> Model:
    plain = Preprocessing(SIDE, SIDE, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Model("brightness", Brightness().eval(), plain)


@pytest.fixture
def subject(model: Model) -> Subject:
    return Subject(model, TraceConfig(), Alpha())


def draw(box: tuple[int, int, int, int], side: int) -> Image.Image:
    """A black image with a white box."""
    pixels = np.zeros((side, side, 3), dtype=np.uint8)
    x0, y0, x1, y1 = box
    pixels[y0:y1, x0:x1] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def bright_images() -> ImageList:
    """Three images of 64 x 64 pixels with one white box each, which is their object."""
    places = [(4, 4, 30, 30), (30, 10, 60, 50), (10, 34, 50, 62)]
    return ImageList(
        tuple(
            LabelledImage(
                f"box-{place[0]}", label, np.array([place], dtype=np.float64), 64, 64, partial(draw, place, 64)
            )
            for label, place in enumerate(places)
        )
    )


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with closing(Cache(tmp_path / "records.sqlite")) as cache:
        yield cache


@pytest.fixture
def gather(subject: Subject, cache: Cache) -> Callable[..., Found]:
    """Collects an experiment's records of some images by some methods, named."""

    def gather(experiment: Experiment, names: str, images: Sequence[LabelledImage]) -> Found:
        methods = [find_method(name) for name in names.split(",")]
        return collect(experiment, methods, Sample.of(images), subject, cache=cache)

    return gather
