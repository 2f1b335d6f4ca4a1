"""What every form of export says of an image and of its explanations."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tracer.explanation import Explanation
from tracer.files import write_atomically
from tracer.images import open_image

_ORIENTATION = 0x0112
"""EXIF's tag of how a picture is to be turned."""


@dataclass(frozen=True)
class Explained:
    """An image with its explanations.

    Args:
        name: A file name for it that no other image has.
        content: The file's bytes. Its pixels lie as they were explained: boxes are counted in them.
        explanations: Its explanations, at least one.
    """

    name: str
    content: bytes
    explanations: tuple[Explanation, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.explanations[0].size

    def heatmap_name(self, number: int) -> str:
        """A file name for the map of one of its explanations."""
        return f"{self.name}-{number}.png"


def explained_images(explanations: Sequence[Explanation]) -> list[Explained]:
    """The images of explanations, each once, in the order in which they come first.

    Raises:
        ImageError: If an image is not at hand any more.
    """
    groups: dict[Any, list[Explanation]] = {}
    for explanation in explanations:
        groups.setdefault(explanation.source_sha256 or id(explanation), []).append(explanation)
    taken: set[str] = set()
    images = []
    for group in groups.values():
        suffix, content = _file(group[0])
        stem = Path(group[0].source).stem if group[0].source else "image"
        stem = stem.encode("utf-8", "replace").decode()  # a name that is no UTF-8 can stand in no table
        names = (f"{stem}{mark}{suffix}" for mark in chain([""], (f"-{number}" for number in count(1))))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        images.append(Explained(name, content, tuple(group)))
    return images


def _file(explanation: Explanation) -> tuple[str, bytes]:
    """The suffix and bytes of an image's file; of a new one where the source turns its pixels, or there is none."""
    picture = explanation.picture()
    if explanation.source is not None:
        source = Path(explanation.source)
        with open_image(source) as image:
            turned = image.getexif().get(_ORIENTATION, 1) != 1
        if not turned:
            return source.suffix, source.read_bytes()
    return ".png", png(picture)


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    content = io.BytesIO()
    picture.save(content, "png")
    return content.getvalue()


def heatmap(explanation: Explanation) -> bytes:
    """The map of an explanation as a PNG file, grey, 255 at its maximum, as large as the network's input."""
    return png(Image.fromarray((255 * explanation.shown_map).round().astype(np.uint8)))


def write_images(images: Sequence[Explained], folder: Path, heatmaps: Path) -> None:
    """Write the image files and the maps.

    Raises:
        OutputError: If a file cannot be written.
    """
    for image in images:
        write_atomically(folder / image.name, image.content, make_folder=True)
        for number, explanation in enumerate(image.explanations):
            write_atomically(heatmaps / image.heatmap_name(number), heatmap(explanation), make_folder=True)


def extent(explanation: Explanation) -> list[float]:
    """The box as x, y, width, height."""
    x0, y0, x1, y1 = explanation.box.tolist()
    return [x0, y0, x1 - x0, y1 - y0]
