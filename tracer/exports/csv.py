"""A CSV file, a line an explanation: ``boxes.csv``, the images in ``images/``, the maps in ``heatmaps/``."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from tracer.explanation import Explanation
from tracer.exports.objects import explained_images, write_images
from tracer.files import write_atomically

_COLUMNS = ["image", "x0", "y0", "x1", "y1", "label", "name", "probability", "architecture", "heatmap"]


def write(explanations: Sequence[Explanation], folder: Path) -> Path:
    """Write explanations; see :func:`tracer.exports.export`."""
    images = explained_images(explanations)
    write_images(images, folder / "images", folder / "heatmaps")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for image in images:
        for number, explanation in enumerate(image.explanations):
            rows.writerow(
                [
                    f"images/{image.name}",
                    *explanation.box.tolist(),
                    explanation.target,
                    explanation.name,
                    explanation.probability,
                    explanation.architecture,
                    f"heatmaps/{image.heatmap_name(number)}",
                ]
            )
    path = folder / "boxes.csv"
    write_atomically(path, text.getvalue().encode())
    return path
