"""An image with a map over it, the box that was read from it, and the boxes of the ground truth, as a PNG."""

import io
import itertools

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 512
"""Pixels of a picture's longer side; a small image is drawn larger, so that lines stay thin beside it."""

YELLOW, WHITE, BLACK = (255, 212, 0), (255, 255, 255), (0, 0, 0)


def draw(image: Image.Image, heat: NDArray[np.float64], box: NDArray[np.float64], truth: NDArray[np.float64]) -> bytes:
    """The picture: the box of the trace in a thick line, those of the ground truth dashed.

    Args:
        image: RGB.
        heat: The map, 0 to 1, of any shape.
        box: Half-open x0, y0, x1, y1 in the image's pixels.
        truth: Boxes of the instances, shape (n, 4).
    """
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    drawn = Image.fromarray(_overlaid(image.resize(size), heat))
    pen = ImageDraw.Draw(drawn)
    for each in truth:
        _dashed(pen, (each * scale).tolist())
    for color, width in ((BLACK, 6), (YELLOW, 3)):
        x0, y0, x1, y1 = (box * scale).round().tolist()
        if x1 > x0 and y1 > y0:
            pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=color, width=width)
    content = io.BytesIO()
    drawn.save(content, "PNG")
    return content.getvalue()


def _overlaid(image: Image.Image, heat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The image below the map in colour, which covers more where it is hotter."""
    from matplotlib import colormaps

    values = Image.fromarray(heat.astype(np.float32)).resize(image.size, Image.Resampling.BILINEAR)
    scaled = np.clip(np.asarray(values, dtype=np.float64), 0, 1)[..., None]
    colors = colormaps["inferno"](scaled[..., 0])[..., :3] * 255
    cover = np.clip(0.15 + 0.6 * scaled, 0, 0.7)
    mixed: NDArray[np.uint8] = (np.asarray(image) * (1 - cover) + colors * cover).round().astype(np.uint8)
    return mixed


def _dashed(pen: ImageDraw.ImageDraw, box: list[float]) -> None:
    """A dashed white line on black around a box."""
    x0, y0, x1, y1 = box
    corners = [(x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1), (x0, y0)]
    for start, end in itertools.pairwise(corners):
        pen.line((*start, *end), fill=BLACK, width=3)
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        for begin in np.arange(0, length, 12.0):
            part = [
                (a + (b - a) * t / length)
                for t in (begin, min(begin + 7, length))
                for a, b in zip(start, end, strict=True)
            ]
            pen.line(part, fill=WHITE, width=2)
