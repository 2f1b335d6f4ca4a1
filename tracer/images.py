"""Images as the tracer reads them: of a known format and a bounded size, upright, RGB, eight bits.

Every image file that the project reads is opened here (:func:`open_image`).
"""

import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tracer.errors import ImageError
from tracer.files import require_regular

FORMATS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "PPM": (".pgm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2",),
}
"""The formats that are read, by Pillow's names, and how their files' names end.

A file's content decides which of them it is. Pillow knows more formats, but some of those run a program: an EPS file
would be handed to Ghostscript, whatever its name.
"""

MAX_PIXELS = 100_000_000
"""How many pixels an image may have, unless the environment's ``TRACER_MAX_PIXELS`` says otherwise.

A compressed file of half a megabyte can hold 169 million pixels, which take 2 GB once decoded.
"""

_OPENING = threading.Lock()


@dataclass(frozen=True)
class Embedded:
    """An image within another file, such as a cell of a table.

    Args:
        place: The file and where in it the image lies, for messages.
        read: Returns the image's bytes, as a file of its own would hold them.
    """

    place: str
    read: Callable[[], bytes]

    def __str__(self) -> str:
        return self.place


@contextmanager
def open_image(path: str | Path | Embedded) -> Iterator[Image.Image]:
    """An image file whose head has been read; its pixels are decoded at first use, within the block.

    Raises:
        ImageError: If the file is missing, of another format than :data:`FORMATS`, has too many pixels, or turns out
            corrupt within the block.
    """
    try:
        with _opened(path) as image:
            yield image
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such image; check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: a folder, not an image; name an image in it") from error
    except PermissionError as error:
        raise ImageError(f"{path}: no permission to read it") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not an image of a format that is read ({', '.join(FORMATS)}); convert it") from error
    except Exception as error:  # a format's decoder raises whatever the file's bytes bring about
        if isinstance(error, OSError) and error.errno is not None:  # the system's word, not a decoder's
            raise ImageError(f"{path}: cannot be read ({error.strerror}); name another file") from error
        reason = " ".join(str(error).split())
        raise ImageError(f"{path}: corrupt or cut short ({reason}); replace the file") from error


def read_image(path: str | Path | Embedded) -> Image.Image:
    """An image file as upright RGB, fully decoded.

    Raises:
        ImageError: If the file is missing, is no image, is cut short, is too large, or has no clear RGB reading.
    """
    with open_image(path) as image:
        return to_rgb(image)


def check_image(path: str | Path) -> None:
    """Read an image file to its end, as coarsely as its format allows, to learn whether it is whole.

    Raises:
        ImageError: As :func:`read_image`.
    """
    with open_image(path) as image:
        image.draft("RGB", (1, 1))
        to_rgb(image)


def _opened(path: str | Path | Embedded) -> Image.Image:
    """The file opened by Pillow, whose bound on pixels, and on what a format's tiles may hold, is made strict."""
    bound = _max_pixels()
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, bound
        try:
            if isinstance(path, Embedded):
                return Image.open(io.BytesIO(path.read()), formats=list(FORMATS))
            require_regular(Path(path))
            return Image.open(path, formats=list(FORMATS))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ImageError(
                f"more than {bound} pixels; make it smaller, or allow more with the environment's TRACER_MAX_PIXELS"
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _max_pixels() -> int:
    text = os.environ.get("TRACER_MAX_PIXELS", str(MAX_PIXELS))
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ImageError(f"TRACER_MAX_PIXELS={text!r} in the environment is no number of pixels; write one")
    return int(text)


def to_rgb(image: Image.Image) -> Image.Image:
    """The image turned upright by its EXIF orientation, as 8-bit RGB.

    Greyscale is repeated, a palette looked up, CMYK converted. Transparency is laid over white, as most viewers show
    it. Sixteen-bit greyscale keeps its upper byte, so that its full range is black to white.

    Raises:
        ImageError: If the mode has no clear RGB reading (floating point, or 32-bit integers beyond 16 bits).
    """
    upright = ImageOps.exif_transpose(image)
    mode = upright.mode
    if mode == "RGB" and "transparency" not in upright.info:
        return upright
    if mode.startswith("I"):
        levels = np.asarray(upright).astype(np.int64)
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise ImageError(f"pixels from {levels.min()} to {levels.max()} have no agreed range; save it as 8-bit")
        return Image.fromarray((levels >> 8).astype(np.uint8)).convert("RGB")
    if mode == "F":
        raise ImageError("floating-point pixels have no agreed range; save it as 8-bit")
    if mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
        layered = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return upright.convert("RGB")
