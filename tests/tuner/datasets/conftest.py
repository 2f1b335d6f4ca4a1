"""Small data sets in the exact layout of the real ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Save = Callable[..., Path]


@pytest.fixture
def save() -> Save:
    """Writes an image of 100 x 80 pixels, or of another size."""

    def write(path: Path, size: tuple[int, int] = (100, 80), mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, 120).save(path)
        return path

    return write


@pytest.fixture
def write() -> Callable[[Path, str], Path]:
    """Writes a text file, its folders with it."""

    def make(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make


@pytest.fixture
def annotation() -> Callable[..., str]:
    """Makes an annotation as VOC and ImageNet write it: each object on lines of its own, the first from line 5."""

    def make(*objects: tuple[str, float, float, float, float], part: bool = False) -> str:
        body = (
            "<part><name>head</name><bndbox><xmin>-9</xmin><ymin>0</ymin><xmax>0</xmax><ymax>0</ymax></bndbox></part>"
        )
        lines = ["<annotation>", "<filename>x</filename>", "<size><width>100</width><height>80</height></size>", ""]
        for name, x0, y0, x1, y1 in objects:
            lines += [
                "<object>",
                f"<name>{name}</name><difficult>1</difficult>",
                f"<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox>",
                *([body] if part else []),
                "</object>",
            ]
        return "\n".join([*lines, "</annotation>\n"])

    return make
