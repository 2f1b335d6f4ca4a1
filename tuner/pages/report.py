"""What the reports of jobs and experiments have in common: pictures within the file, and how it was made."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import BaseLoader
from PIL import Image

from tracer.files import write_atomically
from tuner.pages.environment import make_environment

MOST = 4_000_000
"""Bytes that all pictures of a file take, at most."""

QUALITIES = (80, 60, 40)
"""Of WebP pictures, up to 100: the best comes first."""

Kind = Literal["truth", "base", "learned"]


@dataclass(frozen=True)
class Box:
    """A box in a picture: what drew it, and x0, y0, x1, y1 in the picture's pixels."""

    kind: Kind
    at: tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """A picture that a page carries within itself.

    Args:
        title: What it is of.
        caption: How it is to be read.
        source: Its pixels, as a ``data:`` URI.
        width: Columns.
        height: Rows.
        boxes: Boxes drawn on it.
    """

    title: str
    caption: str
    source: str
    width: int
    height: int
    boxes: Sequence[Box] = ()


@dataclass(frozen=True)
class Made:
    """How a report was made.

    Args:
        command: What writes it again.
        facts: Versions, hashes and times.
        document: The configuration in full.
        data: The figures, for programs; plain values.
    """

    command: str
    facts: Mapping[str, Any]
    document: str
    data: Mapping[str, Any]


def embed(image: Image.Image, width: int, height: int, pictures: int) -> tuple[str, Image.Image]:
    """An image as a ``data:`` URI of WebP, scaled down to fit; returns the URI and what it holds.

    A file stays below :data:`MOST` however many pictures it has: one that would take more than its part is stored at
    less quality, and at half its size where that does not do.

    Args:
        image: The image, of any mode.
        width: Columns, at most.
        height: Rows, at most.
        pictures: How many pictures the file has.
    """
    small = image.convert("RGB")
    small.thumbnail((width, height), Image.Resampling.LANCZOS)
    for quality in QUALITIES:
        content = io.BytesIO()
        small.save(content, "WEBP", quality=quality)
        uri = f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
        if len(uri) <= MOST // pictures:
            return uri, small
    return embed(image, small.width // 2, small.height // 2, pictures)


def write_page(output: Path, loader: BaseLoader, template: str, **values: Any) -> None:
    """Write a page as one file; replaced whole, or left as it was.

    Args:
        output: The file.
        loader: Where the template is.
        template: Its name.
        values: What it shows.

    Raises:
        TracerError: If the file cannot be written.
    """
    page = make_environment(loader).get_template(template).render(values)
    write_atomically(output, page.encode())
