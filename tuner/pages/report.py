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

QUALITY = 80
"""Of WebP pictures, up to 100."""

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


def embed(image: Image.Image, longest: int) -> tuple[str, Image.Image]:
    """An image as a ``data:`` URI of WebP, scaled down to a longest side; returns the URI and what it holds."""
    small = image.convert("RGB")
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}", small


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
