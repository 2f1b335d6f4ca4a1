"""Images as the tracer reads them: upright, RGB, eight bits."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tracer.errors import ImageError


def read_image(path: str | Path) -> Image.Image:
    """An image file as upright RGB, fully decoded.

    Raises:
        ImageError: If the file is missing, is no image, is cut short, or has no clear RGB reading.
    """
    try:
        with Image.open(path) as image:
            return to_rgb(image)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such image; check the path") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: a folder, not an image; name an image in it") from error
    except PermissionError as error:
        raise ImageError(f"{path}: no permission to read it") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not an image that Pillow can read; convert it to JPEG or PNG") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise ImageError(f"{path}: corrupt or cut short ({reason}); replace the file") from error


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
