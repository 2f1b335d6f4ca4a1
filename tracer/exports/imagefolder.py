"""Hugging Face's ``imagefolder``: ``train/metadata.jsonl`` beside the images, the maps in ``heatmaps/``."""

from collections.abc import Sequence
from pathlib import Path

from tracer.explanation import Explanation
from tracer.exports.objects import explained_images, extent, write_images
from tracer.files import write_atomically
from tracer.printable import json_text


def write(explanations: Sequence[Explanation], folder: Path) -> Path:
    """Write explanations; see :func:`tracer.exports.export`."""
    images = explained_images(explanations)
    write_images(images, folder / "train", folder / "heatmaps")
    lines = [
        {
            "file_name": image.name,
            "objects": {
                "bbox": [extent(explanation) for explanation in image.explanations],
                "categories": [explanation.name for explanation in image.explanations],
                "index": [explanation.target for explanation in image.explanations],
                "probability": [explanation.probability for explanation in image.explanations],
                "architecture": [explanation.architecture for explanation in image.explanations],
                "heatmap": [f"heatmaps/{image.heatmap_name(number)}" for number in range(len(image.explanations))],
            },
        }
        for image in images
    ]
    path = folder / "train" / "metadata.jsonl"
    write_atomically(path, "".join(f"{json_text(line)}\n" for line in lines).encode())
    return path
