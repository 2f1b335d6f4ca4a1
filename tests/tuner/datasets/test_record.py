"""What holds for every layout, shown on the simplest."""

from pathlib import Path

import pytest
from PIL import Image

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import CsvSpec

HEADER = "image,x0,y0,x1,y1,label\n"


@pytest.fixture
def root(tmp_path: Path, save, write) -> Path:
    save(tmp_path / "good.jpg")
    save(tmp_path / "bad.jpg")
    save(tmp_path / "bad.png")
    write(tmp_path / "boxes.csv", HEADER + "good.jpg,0,0,9,9,\nbad.jpg,0,0,9,9,\nbad.png,0,0,9,9,\n")
    return tmp_path


def spec(root: Path, **more: bool) -> CsvSpec:
    return CsvSpec(kind="csv", root=root, **more)


@pytest.mark.parametrize(("name", "line"), [("bad.jpg", 3), ("bad.png", 4)])
@pytest.mark.parametrize("damage", ["text", "empty", "cut short"])
def test_a_corrupt_image_is_named_with_file_and_line(root: Path, name: str, line: int, damage: str) -> None:
    whole = (root / name).read_bytes()
    (root / name).write_bytes({"text": b"hello", "empty": b"", "cut short": whole[: len(whole) * 2 // 3]}[damage])
    with pytest.raises(DatasetError, match=rf"boxes\.csv:{line}: image .*{name}: (corrupt or cut short|not an image)"):
        load_dataset(spec(root))


def test_bad_images_are_counted_and_the_first_is_named(root: Path) -> None:
    (root / "bad.jpg").unlink()
    (root / "bad.png").write_text("hello")
    with pytest.raises(DatasetError) as caught:
        load_dataset(spec(root))
    line = str(caught.value)
    assert "boxes.csv:3: image" in line
    assert line.endswith("or leave bad images out with skip_bad: true under dataset (and 1 more bad images)")
    assert "\n" not in line


@pytest.mark.parametrize("asked", ["by the call", "by the job file"])
def test_skip_bad_leaves_them_out_and_says_why(root: Path, asked: str) -> None:
    (root / "bad.jpg").unlink()
    (root / "bad.png").write_text("hello")
    if asked == "by the call":
        dataset = load_dataset(spec(root), skip_bad=True)
    else:
        dataset = load_dataset(spec(root, skip_bad=True))
    assert [image.id for image in dataset.images] == ["good.jpg"]
    assert ["no such image" in dataset.left_out[0], "not an image" in dataset.left_out[1]] == [True, True]


def test_a_data_set_without_a_good_image_is_refused_even_so(root: Path) -> None:
    for name in ("good.jpg", "bad.jpg", "bad.png"):
        (root / name).unlink()
    with pytest.raises(
        DatasetError, match=r"no image to use; the first is bad: .*csv:2: image .*good\.jpg: no such image"
    ):
        load_dataset(spec(root), skip_bad=True)


def test_a_whole_image_with_bytes_behind_it_is_good(root: Path) -> None:
    with (root / "bad.jpg").open("ab") as file:
        file.write(b"\0" * 10_000)
    assert len(load_dataset(spec(root))) == 3


def test_pixels_come_as_stored_whatever_the_orientation_tag_says(root: Path) -> None:
    image = Image.new("RGB", (100, 80), "white")
    image.paste("black", (0, 0, 50, 80))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(root / "good.jpg", exif=exif)
    labelled = load_dataset(spec(root))[0]
    assert labelled.open().size == (labelled.width, labelled.height) == (100, 80)
    assert labelled.open().getpixel((10, 70)) == (0, 0, 0)
    assert not labelled.open().getexif()


def test_an_image_that_goes_after_the_check_is_named(root: Path) -> None:
    dataset = load_dataset(spec(root))
    (root / "bad.jpg").unlink()
    (root / "bad.png").write_text("hello")
    with pytest.raises(DatasetError, match=r"bad\.jpg: no such image"):
        dataset[1].open()
    with pytest.raises(DatasetError, match=r"bad\.png: not an image"):
        dataset[2].open()


def test_an_image_with_no_clear_reading_is_named_with_its_file(root: Path) -> None:
    Image.new("F", (100, 80), 0.5).save(root / "bad.jpg", format="TIFF")
    with pytest.raises(DatasetError, match=r"bad\.jpg: floating-point pixels"):
        load_dataset(spec(root))[1].open()


def test_formats_and_pixels_are_bounded_as_for_every_image(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = load_dataset(spec(root))
    monkeypatch.setenv("TRACER_MAX_PIXELS", "7999")
    with pytest.raises(DatasetError, match=r"csv:2: image .*good\.jpg: more than 7999 pixels"):
        load_dataset(spec(root))
    with pytest.raises(DatasetError, match=r"good\.jpg: more than 7999 pixels"):
        dataset[0].open()
    monkeypatch.undo()
    Image.new("RGB", (100, 80)).save(root / "bad.jpg", format="EPS")
    with pytest.raises(DatasetError, match=r"bad\.jpg: not an image of a format that is read"):
        load_dataset(spec(root))
