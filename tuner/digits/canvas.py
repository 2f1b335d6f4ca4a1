"""Canvases: one whole digit of random size, place and colour among fragments of others, and the exact box around it."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Rows and columns of a canvas, pixels."""

_DIGIT = (18, 44)
"""Height of the digit, pixels: least and, exclusively, greatest."""

_FRAGMENTS = (4, 10)
"""How many pieces of other digits lie around it, likewise."""

_INK = 0.25
"""Opacity from which a pixel belongs to the digit, and so to its box."""

Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]
Part = Literal["train", "test"]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Canvas:
    """A picture and what is on it.

    Args:
        pixels: uint8 of shape (64, 64, 3).
        digit: The digit, 0 to 9.
        box: The half-open box around its ink: x0, y0, x1, y1, pixels.
    """

    pixels: Pixels
    digit: int
    box: Box


@cache
def glyphs(part: Part) -> tuple[tuple[Image.Image, ...], NDArray[np.int64]]:
    """The digits that train the network or test it, as opacities cropped to their ink, and which digits they are.

    The parts share no digit: one in five, drawn at random, tests.
    """
    levels, digits = _table()
    order = np.random.default_rng(0).permutation(len(digits))
    tests = len(order) // 5
    chosen = order[:tests] if part == "test" else order[tests:]
    return tuple(_cropped(levels[index]) for index in chosen), digits[chosen]


def _table() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """scikit-learn's digits, levels of shape (1797, 8, 8) and which digits they are.

    Read from the table that comes with it: to import scikit-learn takes longer than all that is done with them.
    """
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    table = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def draw(part: Part, seed: int, index: int) -> Canvas:
    """The canvas at an index of an endless series; the same arguments draw the same canvas."""
    rng = np.random.default_rng([seed, index])
    ink, digit, box = _placed(part, rng)
    shapes, _ = glyphs(part)
    canvas = _background(rng)
    for _ in range(rng.integers(*_FRAGMENTS)):
        _scatter(canvas, shapes[int(rng.integers(len(shapes)))], box, rng)
    _paint(canvas, ink, box[0], box[1], rng)
    return Canvas(canvas.round().astype(np.uint8), digit, box)


def label(part: Part, seed: int, index: int) -> tuple[int, Box]:
    """Digit and box of a canvas, which need not be drawn for that."""
    _, digit, box = _placed(part, np.random.default_rng([seed, index]))
    return digit, box


def _placed(part: Part, rng: np.random.Generator) -> tuple[Levels, int, Box]:
    """The ink of a random digit at a random size, the digit, and the box it gets."""
    shapes, targets = glyphs(part)
    chosen = int(rng.integers(len(shapes)))
    ink = _scaled(shapes[chosen], int(rng.integers(*_DIGIT)), rng)
    rows, columns = np.nonzero(ink > _INK)
    ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = ink.shape
    x0, y0 = int(rng.integers(SIDE - width + 1)), int(rng.integers(SIDE - height + 1))
    return ink, int(targets[chosen]), (x0, y0, x0 + width, y0 + height)


def _cropped(levels: NDArray[np.float64]) -> Image.Image:
    """A digit of 8 x 8 levels from 0 to 16 as an 8-bit image without the empty rows and columns around its ink."""
    rows, columns = np.nonzero(levels > 16 * _INK)
    ink = levels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return Image.fromarray((ink * (255 / 16)).astype(np.uint8))


def _scaled(shape: Image.Image, height: int, rng: np.random.Generator) -> Levels:
    """Opacities in [0, 1] of a digit at a height, its width up to 15% off its proportion."""
    width = round(height * shape.width / shape.height * rng.uniform(0.85, 1.15))
    size = (min(max(width, 4), SIDE), height)
    return np.asarray(shape.resize(size, Image.Resampling.BICUBIC)).astype(np.float32) / np.float32(255)


def _background(rng: np.random.Generator) -> Levels:
    """A dark plane that brightens in one direction, with a little noise; shape (64, 64, 3)."""
    across = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)
    right, down = rng.uniform(-30, 30, 2).astype(np.float32)
    noise = 6 * rng.standard_normal((SIDE, SIDE, 3), dtype=np.float32)
    plane = (right * across + (down * across)[:, None])[..., None] + rng.uniform(35, 90, 3)
    floor: Levels = np.maximum(plane + noise, 0).astype(np.float32)
    return floor


def _scatter(canvas: Levels, shape: Image.Image, box: Box, rng: np.random.Generator) -> None:
    """Paint a piece of a digit, at most half as wide and high as it, somewhere beside the box."""
    ink = _scaled(shape, int(rng.integers(*_DIGIT)), rng)
    height, width = (max(3, int(side * rng.uniform(0.3, 0.5))) for side in ink.shape)
    top, left = (int(rng.integers(side - piece + 1)) for side, piece in zip(ink.shape, (height, width), strict=True))
    x, y = int(rng.integers(SIDE - width + 1)), int(rng.integers(SIDE - height + 1))
    if x < box[2] and box[0] < x + width and y < box[3] and box[1] < y + height:
        return
    _paint(canvas, ink[top : top + height, left : left + width], x, y, rng)


def _paint(canvas: Levels, opacity: Levels, x: int, y: int, rng: np.random.Generator) -> None:
    """Lay a bright colour over the canvas, with its upper left corner at (x, y)."""
    under = canvas[y : y + opacity.shape[0], x : x + opacity.shape[1]]
    under += opacity[..., None] * (rng.uniform(150, 255, 3).astype(np.float32) - under)
