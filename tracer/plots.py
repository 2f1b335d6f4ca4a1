"""Pictures of explanations, drawn without matplotlib's global state."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_PANEL = 3.1
"""Inches of a panel's longer side."""

_NARROWEST = 6.0
"""Inches that the heading needs."""

_DPI = 130
_INK = "#222222"
_QUIET = "#707070"
_ACCENT = "#ffd400"
_COLOURS = colormaps["inferno"]


@dataclass(frozen=True, eq=False)
class Row:
    """What is drawn of one explanation, in pixels of its image.

    Args:
        pixels: The image, uint8 of shape (height, width, 3).
        centres: x and y of each point, shape (n, 2).
        shares: Each point's share of the evidence, shape (n,).
        outliers: Which points the box leaves out, shape (n,).
        heat: The map, 0 to 1, of any shape.
        map_title: What the map is called.
        box: Half-open x0, y0, x1, y1.
        heading: The class and its probability.
        note: One line on how it was traced.
    """

    pixels: NDArray[np.uint8]
    centres: NDArray[np.float64]
    shares: NDArray[np.float64]
    outliers: NDArray[np.bool_]
    heat: NDArray[np.float64]
    map_title: str
    box: NDArray[np.float64]
    heading: str
    note: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image."""
        height, width = self.pixels.shape[:2]
        return width, height


def figure(rows: Sequence[Row]) -> Figure:
    """Image, points, map and box side by side, one row an explanation.

    Args:
        rows: What to draw, at least one.
    """
    sides = np.array([row.size for row in rows], dtype=float)
    panels = _PANEL * sides / sides.max(axis=1, keepdims=True)
    width = max(4 * float(panels[:, 0].max()) + 0.5, _NARROWEST)
    heights = [float(height) + 0.78 for height in panels[:, 1]]
    whole = Figure(figsize=(width, sum(heights)), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(whole)
    strips: Any = whole.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for strip, height, row in zip(strips, heights, rows, strict=True):
        axes = strip.subplots(1, 4)
        strip.subplots_adjust(
            left=0.15 / width, right=1 - 0.15 / width, top=1 - 0.68 / height, bottom=0.08 / height, wspace=0.04
        )
        draw(row, list(axes))
        start = 0.15 / width
        plain: dict[str, Any] = {"va": "top", "ha": "left", "parse_math": False}  # a file's name may hold dollars
        strip.text(start, 1 - 0.08 / height, row.heading, size=13, weight="bold", color=_INK, **plain)
        strip.text(start, 1 - 0.32 / height, row.note, size=8, color=_QUIET, **plain)
    return whole


def draw(row: Row, axes: Sequence[Axes]) -> Figure:
    """Draw the four panels into axes and return their figure."""
    width, height = row.size
    for axis, title in zip(axes, ("image", "points", row.map_title, "box"), strict=True):
        axis.set_title(title, size=9, color=_QUIET, pad=3)
        axis.set_axis_off()
        axis.imshow(_faded(row.pixels) if title == "points" else row.pixels, extent=(0, width, height, 0))
        axis.set_xlim(0, width)
        axis.set_ylim(height, 0)
    _draw_points(row, axes[1])
    draw_heat(row.heat, row.size, axes[2])
    draw_box(row.box, axes[3])
    drawn = axes[0].get_figure(root=True)
    assert drawn is not None
    return drawn


def png(drawing: Figure) -> bytes:
    """The figure as a PNG file."""
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


def overlay(row: Row, *, box: bool = True) -> Image.Image:
    """The map laid over the image, in the image's own pixels.

    Args:
        row: What to show.
        box: Whether the box is drawn too.
    """
    heat = np.asarray(Image.fromarray(row.heat.astype(np.float32)).resize(row.size, Image.Resampling.BILINEAR))
    colours = 255 * _COLOURS(heat)[:, :, :3]
    opacity = _opacity(heat)[:, :, None]
    blended = Image.fromarray((row.pixels * (1 - opacity) + colours * opacity).round().astype(np.uint8))
    if box and row.box[2] > row.box[0] and row.box[3] > row.box[1]:
        drawing = ImageDraw.Draw(blended)
        width = max(1, round(min(row.size) / 150))
        x0, y0, x1, y1 = row.box.round().astype(int).tolist()
        corners = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
        for colour, line in (("black", 2 * width), (_ACCENT, width)):
            drawing.rectangle(corners, outline=colour, width=line)
    return blended


def _opacity(heat: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """How far a map hides the image below it: the more the hotter."""
    opacity: NDArray[np.floating[Any]] = np.clip(0.25 + 0.6 * heat, 0, 0.8)
    return opacity


def _faded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image in pale grey, so that points stand out."""
    grey = pixels.astype(np.float32).mean(axis=2, keepdims=True)
    return np.repeat(110 + grey * 0.57, 3, axis=2).astype(np.uint8)


def _draw_points(row: Row, axis: Axes) -> None:
    """Points, each of an area that grows with its share of the evidence; outliers hollow."""
    centres = row.centres
    if not len(centres):
        return
    strength = np.sqrt(row.shares / row.shares.max())
    order = np.argsort(strength)
    kept = order[~row.outliers[order]]
    out = order[row.outliers[order]]
    axis.scatter(centres[out, 0], centres[out, 1], s=14, facecolors="none", edgecolors=_INK, linewidths=0.7)
    axis.scatter(
        centres[kept, 0],
        centres[kept, 1],
        s=1 + 41 * strength[kept] ** 2,
        c=0.3 + 0.55 * strength[kept],
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        edgecolors="white",
        linewidths=0.6 * strength[kept],
    )


def draw_heat(heat: NDArray[np.float64], size: tuple[int, int], axis: Axes) -> None:
    """A map over the image, more opaque where it is hotter."""
    width, height = size
    axis.imshow(
        heat,
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        alpha=_opacity(heat),
        extent=(0, width, height, 0),
        interpolation="bilinear",
    )


def draw_box(box: NDArray[np.float64], axis: Axes, color: str = _ACCENT) -> None:
    """The box, bright on dark so that it shows on any image."""
    x0, y0, x1, y1 = box
    for edge, line in (("black", 4.0), (color, 2.0)):
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=edge, linewidth=line))
