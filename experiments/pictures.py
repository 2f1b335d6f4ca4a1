"""Figures 3, 5 and 6 of the paper: images with maps and boxes in a grid, and curves."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tracer.images import Embedded, open_image
from tracer.plots import draw_box, draw_heat, png
from tuner.datasets import LabelledImage

PIXELS = 320
"""Longest side of an image in a picture."""
_CELLS = 56
"""Rows and columns of a map that is kept to be drawn."""
_SIDE = 1.9
"""Inches of a panel."""
_INK, _TRUTH = "#222222", "#39d98a"


@dataclass(frozen=True, eq=False)
class Panel:
    """One cell of a grid of images.

    Args:
        pixels: uint8 of shape (h, w, 3); drawn into a square, as networks see it.
        heat: A map over it, 0 to 1, of any shape.
        box: What the explanation boxes, as shares of width and height: x0, y0, x1, y1.
        truth: Boxes of the objects, likewise, shape (n, 4).
        caption: A line below.
    """

    pixels: NDArray[np.uint8]
    heat: NDArray[np.float64] | None = None
    box: NDArray[np.float64] | None = None
    truth: NDArray[np.float64] | None = None
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Line:
    """A curve over 0 to 1."""

    name: str
    values: NDArray[np.floating]


def pixels_of(image: LabelledImage) -> NDArray[np.uint8]:
    """The pixels of an image, scaled down to be drawn."""
    small = image.open().convert("RGB")
    small.thumbnail((PIXELS, PIXELS))
    return np.array(small)


def share_of(boxes: NDArray[np.float64], image: LabelledImage) -> NDArray[np.float64]:
    """Boxes (..., 4) in pixels of an image as shares of its width and height."""
    return boxes / np.array([image.width, image.height] * 2, dtype=np.float64)


def coarse(heat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A map as it is kept to be drawn: 56 x 56 cells, 0 to 255 from nothing to its maximum."""
    top = heat.max()
    values = np.clip(heat / top if top > 0 else heat, 0, 1).astype(np.float32)
    return (
        (255 * np.array(Image.fromarray(values).resize((_CELLS, _CELLS), Image.Resampling.BOX)))
        .round()
        .astype(np.uint8)
    )


def signed(change: Tensor) -> NDArray[np.uint8]:
    """A change of an image (3, h, w), stretched so that it can be seen: grey where nothing changed."""
    values = change / change.abs().amax().clamp(min=1e-12)
    return (127.5 + 127.5 * values).round().byte().permute(1, 2, 0).cpu().numpy()


def grid(rows: Sequence[Sequence[Panel]], titles: Sequence[str]) -> bytes:
    """Images in rows under a line of titles, as a PNG file."""
    height = _SIDE + 0.22
    whole = Figure(figsize=(len(titles) * (_SIDE + 0.06), len(rows) * height + 0.3), facecolor="white")
    FigureCanvasAgg(whole)
    axes = whole.subplots(len(rows), len(titles), squeeze=False)
    whole.subplots_adjust(
        left=0.005,
        right=0.995,
        bottom=0.22 / (len(rows) * height),
        top=1 - 0.28 / (len(rows) * height + 0.3),
        wspace=0.03,
        hspace=0.22 / _SIDE,
    )
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, size=9, color=_INK, pad=4)
    for axis, panel in zip(axes.flat, (panel for row in rows for panel in row), strict=True):
        _draw(panel, axis)
    return _small(png(whole))


def plot(panels: Mapping[str, Sequence[Line]], across: str, up: str) -> bytes:
    """Curves side by side, as a PNG file."""
    whole = Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained", facecolor="white")
    FigureCanvasAgg(whole)
    axes = whole.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels.items(), strict=True):
        for number, line in enumerate(lines):
            style = ("-", "--", ":")[number // 10 % 3]
            axis.plot(np.linspace(0, 1, len(line.values)), line.values, style, label=line.name, linewidth=1.4)
        axis.set_title(title)
        axis.set_xlabel(across)
        axis.set_ylabel(up)
    axes[-1].legend(fontsize=7)
    return png(whole)


def _small(content: bytes) -> bytes:
    """A PNG file with 256 colours instead of millions: a third of the size, and hardly to be told apart."""
    small = io.BytesIO()
    with open_image(Embedded("a drawing", lambda: content)) as drawn:
        drawn.convert("RGB").quantize(256).save(small, format="png", optimize=True)
    return small.getvalue()


def _draw(panel: Panel, axis: Axes) -> None:
    axis.set_axis_off()
    axis.imshow(panel.pixels, extent=(0, 1, 1, 0))
    if panel.heat is not None:
        draw_heat(panel.heat, (1, 1), axis)
    for box in () if panel.truth is None else panel.truth:
        draw_box(box, axis, _TRUTH)
    if panel.box is not None and panel.box.any():
        draw_box(panel.box, axis)
    axis.set_xlim(0, 1)
    axis.set_ylim(1, 0)
    axis.text(0.5, 1.02, panel.caption, size=6.5, color=_INK, ha="center", va="top", parse_math=False)
