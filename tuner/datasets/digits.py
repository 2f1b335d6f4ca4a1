"""Handwritten digits on cluttered canvases; see :mod:`tuner.digits`. Nothing is read from disk.

The canvases show digits that the network was not trained on.
"""

from functools import partial

import numpy as np
from PIL import Image

from tuner.datasets.image import ImageList, LabelledImage
from tuner.digits.canvas import SIDE, draw, label
from tuner.spec.job import DigitsSpec

CANVASES = 1000
"""How many images the data set has."""

_SEED = 0


def load(spec: DigitsSpec, *, skip_bad: bool, labelled: bool) -> ImageList:  # noqa: ARG001  (none is bad, all are labelled)
    """The canvases; see :func:`tuner.datasets.load_dataset`."""
    return ImageList(tuple(_labelled(index) for index in range(CANVASES)))


def _labelled(index: int) -> LabelledImage:
    digit, box = label("test", _SEED, index)
    boxes = np.array([box], dtype=np.float64)
    return LabelledImage(f"digit-{index:04d}", digit, boxes, SIDE, SIDE, partial(_read, index))


def _read(index: int) -> Image.Image:
    return Image.fromarray(draw("test", _SEED, index).pixels)
