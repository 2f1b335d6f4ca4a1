"""Pictures of explanations, drawn without matplotlib's global state."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from tracer.points import to_original

if TYPE_CHECKING:
    from tracer.explanation import Explanation

_PANEL = 3.1
"""Inches of a panel's longer side."""

_NARROWEST = 6.0
"""Inches that the heading needs."""

_DPI = 130
_INK = "#222222"
_QUIET = "#707070"
_ACCENT = "#ffd400"


def figure(explanations: Sequence["Explanation"], titles: Sequence[str] = ()) -> Figure:
    """Image, points, heatmap and box side by side, one row an explanation.

    Args:
        explanations: What to draw, at least one.
        titles: What is written above each row beside the class, such as the weight file's name.

    Raises:
        ImageError: If an image is not at hand any more.
    """
    sides = np.array([explanation.size for explanation in explanations], dtype=float)
    panels = _PANEL * sides / sides.max(axis=1, keepdims=True)
    width = max(4 * float(panels[:, 0].max()) + 0.5, _NARROWEST)
    rows = [float(height) + 0.78 for height in panels[:, 1]]
    whole = Figure(figsize=(width, sum(rows)), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(whole)
    strips: Any = whole.subfigures(len(rows), 1, height_ratios=rows, squeeze=False)[:, 0]
    for strip, row, explanation, title in zip(
        strips, rows, explanations, [*titles, *[""] * len(explanations)][: len(explanations)], strict=True
    ):
        axes = strip.subplots(1, 4)
        strip.subplots_adjust(
            left=0.15 / width, right=1 - 0.15 / width, top=1 - 0.68 / row, bottom=0.08 / row, wspace=0.04
        )
        draw(explanation, list(axes))
        start = 0.15 / width
        heading = f"{explanation.name}  {explanation.probability:.1%}"
        plain: dict[str, Any] = {"va": "top", "ha": "left", "parse_math": False}  # a file's name may hold dollars
        strip.text(start, 1 - 0.08 / row, heading, size=13, weight="bold", color=_INK, **plain)
        strip.text(start, 1 - 0.32 / row, _setting(explanation, title), size=8, color=_QUIET, **plain)
    return whole


def draw(explanation: "Explanation", axes: Sequence[Axes]) -> Figure:
    """Draw the four panels into axes and return their figure.

    Raises:
        ImageError: If the image is not at hand any more.
    """
    pixels = np.asarray(explanation.picture())
    width, height = explanation.size
    map_ = "saliency" if explanation.config.box == "density" else "heatmap"  # the box of a density is cut from it
    for axis, title in zip(axes, ("image", "points", map_, "box"), strict=True):
        axis.set_title(title, size=9, color=_QUIET, pad=3)
        axis.set_axis_off()
        axis.imshow(_faded(pixels) if title == "points" else pixels, extent=(0, width, height, 0))
        axis.set_xlim(0, width)
        axis.set_ylim(height, 0)
    _draw_points(explanation, axes[1])
    _draw_heat(getattr(explanation, map_), explanation.size, axes[2])
    _draw_box(explanation, axes[3])
    drawn = axes[0].get_figure(root=True)
    assert drawn is not None
    return drawn


def png(drawing: Figure) -> bytes:
    """The figure as a PNG file."""
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


def _faded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image in pale grey, so that points stand out."""
    grey = pixels.astype(np.float32).mean(axis=2, keepdims=True)
    return np.repeat(110 + grey * 0.57, 3, axis=2).astype(np.uint8)


def _draw_points(explanation: "Explanation", axis: Axes) -> None:
    """Points, larger and redder with their share of the evidence; outliers hollow."""
    centres = to_original(explanation.points, explanation.shape, explanation.size)
    if not len(centres):
        return
    strength = np.sqrt(explanation.shares / explanation.shares.max())
    order = np.argsort(strength)
    kept = order[~explanation.outliers[order]]
    out = order[explanation.outliers[order]]
    axis.scatter(centres[out, 0], centres[out, 1], s=14, facecolors="none", edgecolors=_INK, linewidths=0.7)
    axis.scatter(
        centres[kept, 0],
        centres[kept, 1],
        s=8 + 34 * strength[kept],
        c=0.3 + 0.55 * strength[kept],
        cmap="inferno",
        vmin=0,
        vmax=1,
        edgecolors="white",
        linewidths=0.6,
    )


def _draw_heat(heat: NDArray[np.float64], size: tuple[int, int], axis: Axes) -> None:
    """A map over the image, more opaque where it is hotter."""
    width, height = size
    axis.imshow(
        heat,
        cmap="inferno",
        vmin=0,
        vmax=1,
        alpha=np.clip(0.25 + 0.6 * heat, 0, 0.8),
        extent=(0, width, height, 0),
        interpolation="bilinear",
    )


def _draw_box(explanation: "Explanation", axis: Axes) -> None:
    """The box, bright on dark so that it shows on any image."""
    x0, y0, x1, y1 = explanation.box
    for color, line in (("black", 4.0), (_ACCENT, 2.0)):
        axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linewidth=line))


def _setting(explanation: "Explanation", title: str) -> str:
    """One line on how it was traced."""
    alpha = explanation.alpha
    weights = f"α cur {alpha.cur:g}  suc {alpha.suc:g} ({explanation.config.successor})  pre {alpha.pre:g}"
    architecture = explanation.architecture.rpartition("/")[2]  # without the folder of a user's own file
    return "   ".join(filter(None, (title, architecture, weights, f"{len(explanation.points)} points")))
