"""Images of every usual kind become upright RGB; the others are refused in one line."""

import ast
import contextlib
import errno
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tracer.errors import ImageError
from tracer.images import FORMATS, open_image, read_image, to_rgb

RED, BLUE = (254, 0, 0), (0, 0, 254)


@pytest.fixture
def halves() -> Image.Image:
    """Left half red, right half blue, 16 wide and 8 high."""
    image = Image.new("RGB", (16, 8), RED)
    image.paste(BLUE, (8, 0, 16, 8))
    return image


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (15, 0)), (3, (15, 7)), (4, (0, 7)), (5, (0, 0)), (6, (7, 0)), (7, (7, 15)), (8, (0, 15))],
)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, corner: tuple[int, int]) -> None:
    image = Image.new("L", (16, 8))
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    upright = read_image(tmp_path / "turned.png")
    assert upright.size == ((16, 8) if orientation < 5 else (8, 16))
    assert upright.getpixel(corner) == (255, 255, 255)
    assert to_rgb(upright).size == upright.size  # once is enough


def test_palette_keeps_its_colours(tmp_path: Path, halves: Image.Image) -> None:
    halves.convert("P", palette=Image.Palette.ADAPTIVE, colors=2).save(tmp_path / "palette.png")
    image = read_image(tmp_path / "palette.png")
    assert (image.mode, image.getpixel((0, 0)), image.getpixel((15, 0))) == ("RGB", RED, BLUE)


def test_cmyk_becomes_rgb(tmp_path: Path, halves: Image.Image) -> None:
    halves.convert("CMYK").save(tmp_path / "print.tiff")
    image = read_image(tmp_path / "print.tiff")
    assert (image.mode, image.getpixel((0, 0)), image.getpixel((15, 0))) == ("RGB", RED, BLUE)


def test_greyscale_is_repeated(tmp_path: Path) -> None:
    Image.new("L", (3, 2), 77).save(tmp_path / "grey.png")
    assert read_image(tmp_path / "grey.png").getpixel((1, 1)) == (77, 77, 77)


def test_sixteen_bits_keep_their_range(tmp_path: Path) -> None:
    levels = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    for name in ("deep.png", "deep.tiff", "deep.pgm"):
        Image.fromarray(levels).save(tmp_path / name)
        image = read_image(tmp_path / name)
        assert image.mode == "RGB"
        assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 128, 255], name


def test_black_and_white_bitmaps_are_read(tmp_path: Path) -> None:
    Image.new("1", (3, 2), 1).save(tmp_path / "bits.png")
    assert read_image(tmp_path / "bits.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    if mode == "P":
        image = Image.new("P", (4, 4), 0)
        image.putpalette([0, 0, 0])
        image.save(tmp_path / "clear.png", transparency=0)
    else:
        clear.convert(mode).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png").getpixel((2, 2)) == (255, 255, 255)


def test_animations_give_their_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, BLUE)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "moving.gif").getpixel((0, 0)) == RED


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4), 0.5).save(tmp_path / "float.tiff")
    with pytest.raises(ImageError, match=r"float\.tiff: floating-point pixels"):
        read_image(tmp_path / "float.tiff")
    with pytest.raises(ImageError, match="pixels from 0 to 100000 have no agreed range"):
        to_rgb(Image.fromarray(np.array([[0, 100000]], dtype=np.int32)))


def test_bad_files_are_one_line_with_the_reason(tmp_path: Path, halves: Image.Image) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for name in ("cut.jpg", "cut.png"):
        Image.fromarray(noise).save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").touch()
    for name, said in (
        ("cut.jpg", "corrupt or cut short"),
        ("cut.png", "corrupt or cut short"),
        ("text.jpg", "not an image"),
        ("empty.png", "not an image"),
        ("missing.png", "no such image"),
        (".", "a folder"),
    ):
        with pytest.raises(ImageError) as raised:
            read_image(tmp_path / name)
        assert str(raised.value).startswith(f"{tmp_path / name}: {said}")
        assert "\n" not in str(raised.value)


def test_no_format_that_runs_a_program_is_read_whatever_the_name(tmp_path: Path) -> None:
    for number, kind in enumerate(("EPS", "PDF", "ICO", "TGA")):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.jpg", format=kind)
        with pytest.raises(ImageError, match="not an image of a format that is read"):
            read_image(tmp_path / f"{number}.jpg")


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it mends
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_with_a_wrong_byte_is_refused_or_read_whatever_its_format(tmp_path: Path, kind: str) -> None:
    Image.linear_gradient("L").resize((12, 9)).convert("RGB").save(tmp_path / "whole", format=kind)
    whole = (tmp_path / "whole").read_bytes()
    for place in range(0, len(whole), 3):
        (tmp_path / "wrong").write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with contextlib.suppress(ImageError):  # an image of other pixels, or of another size, is one too
            assert read_image(tmp_path / "wrong").mode == "RGB"


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_whatever_the_name(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (8, 4), RED).save(tmp_path / "image", format=kind)
    assert read_image(tmp_path / "image").size == (8, 4)


def png_head(width: int, height: int) -> bytes:
    """A PNG of that size without pixels: enough to tell the size, and to fail when it is decoded."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("side", [10_001, 13_000, 100_000])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "huge.png").write_bytes(png_head(side, side))
    with pytest.raises(ImageError, match=r"huge\.png: more than 100000000 pixels; .* TRACER_MAX_PIXELS$"):
        read_image(tmp_path / "huge.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_user_can_raise_the_bound_on_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "huge.png").write_bytes(png_head(20_000, 20_000))
    monkeypatch.setenv("TRACER_MAX_PIXELS", "400000000")
    with open_image(tmp_path / "huge.png") as image:
        assert image.size == (20_000, 20_000)
    for wrong in ("many", "-1", "", "9" * 5000):
        monkeypatch.setenv("TRACER_MAX_PIXELS", wrong)
        with pytest.raises(ImageError, match="is no number of pixels"):
            read_image(tmp_path / "huge.png")


@pytest.mark.parametrize("package", ["tracer", "tuner", "storage", "experiments"])
def test_images_are_opened_in_one_place(package: str) -> None:
    for module in sorted((Path(__file__).parents[2] / package).rglob("*.py")):
        opened = {
            node.lineno
            for node in ast.walk(ast.parse(module.read_text()))
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"Image.open", "plt.imread", "pyplot.imread"}
        }
        assert module.name == "images.py" or not opened, f"{module}:{opened}: read images with tracer.images"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to(path), os.strerror(errno.ELOOP)),
    ],
)
def test_what_the_system_cannot_read_is_not_called_corrupt(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(ImageError, match=rf"a\.png: cannot be read \({reason}\); name another file$"):
        read_image(tmp_path / "a.png")
