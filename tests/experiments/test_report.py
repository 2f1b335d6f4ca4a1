"""Several experiments on one page."""

import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from experiments.cli import main
from experiments.report.answers import Answer
from experiments.report.page import write
from experiments.result import Measured, Picture
from experiments.result import Result as Found
from tests.experiments.colours import write_colours

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ENDS = ("difference", "low", "high")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A network of the user's own and a CSV data set of three images."""
    folder = tmp_path_factory.mktemp("images")
    return [*write_colours(folder), "--cache", str(folder / "cache.db"), "--methods", "tracer,grad-cam"]


def png(side: int, random: np.random.Generator) -> bytes:
    """A picture that compresses about as badly as a photograph."""
    coarse = random.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(content, "PNG")
    return content.getvalue()


def measured(rows: list[tuple[str, float, tuple[float, float, float]]]) -> Measured:
    """A table of one measure, of methods on 40 images."""
    columns = {"method": "the method", "images": "how many", "success": "share of images (percent)"}
    columns |= {"success_se": "standard error"} | {f"success_{end}": end for end in ENDS}
    return Measured(
        "Boxes",
        [
            {"method": name, "images": 40, "success": value, "success_se": 5.0}
            | {f"success_{end}": number for end, number in zip(ENDS, difference, strict=True)}
            for name, value, difference in rows
        ],
        ("a note",),
        columns=columns,
    )


FIRST = ("ours", 50.0, (math.nan, math.nan, math.nan))
TABLE = measured([FIRST, ("theirs", 40.0, (-10.0, -30.0, 10.0)), ("worst", 1.0, (-49.0, -60.0, -30.0))])


def answer(*pictures: Picture, table: Measured = TABLE) -> Answer:
    found = Found("Do boxes hold objects?", "ours boxes best.", (table,), pictures)
    return Answer("localisation --arch x", {"arch": "x", "limit": None}, {}, found)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", *arguments])


def data_of(page: str) -> list[dict[str, Any]]:
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    experiments: list[dict[str, Any]] = json.loads(content)["experiments"]
    return experiments


def test_experiments_run_one_after_another_and_share_a_page(options: list[str], tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    result = run("-o", str(output), "localisation", *options, "--threshold", "0.2", "pointing-game", *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{output}\n", "what goes to the page is not printed too"
    page = output.read_text()
    first, second = data_of(page)
    alone = CliRunner().invoke(main, ["pointing-game", *options, "-f", "json"])
    assert second["tables"][0]["rows"] == json.loads(alone.stdout)
    assert first["verdict"] in page
    assert page.index('class="lead"') < page.index("<h2")
    assert "experiments report -o report.html" in page
    assert "--threshold 0.2" in first["command"]
    assert "--threshold" not in second["command"]


def test_paths_of_the_machine_are_not_told_but_files_are_hashed(options: list[str], tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    weights = tmp_path / "mine.yaml"
    weights.write_text("format: 1\narchitecture: colours:colours\nweights: {cur: 1.0}\n")
    result = run("-o", str(output), "pointing-game", *options, "--weights", str(weights), "--allow-seen")
    assert result.exit_code == 0, result.output
    page = output.read_text()
    assert str(tmp_path) not in page
    assert str(Path(options[1].partition(":")[0]).parent) not in page
    assert "SHA-256 of mine.yaml" in page
    assert "SHA-256 of boxes.csv" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["localisation", "--arch", "x", "--images", "x"], "--output"),
        (["-o", "r.html", "nothing"], "nothing"),
        (["-o", "r.html", "speed"], "speed"),
    ],
)
def test_bad_usage_says_what_is_missing(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_mistake_in_one_experiment_is_one_line_and_no_page(options: list[str], tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    result = run("-o", str(output), "pointing-game", *options, "--methods", "nothing")
    assert result.exit_code == 2
    assert result.stderr.strip().splitlines()[-1].startswith("experiments: ")
    assert not output.exists()


def test_values_and_differences_are_drawn_and_what_is_open_is_said(tmp_path: Path) -> None:
    write([answer()], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    titles = re.findall(r'-title">([^<]*)</title>', page)
    assert titles == [
        "Boxes: success, with 1.96 standard errors to each side",
        "Boxes: success less that of ours, on the same images",
    ]
    assert "2 differences with their paired 95% intervals; 1 of them do not hold 0." in page
    assert "1 rows cannot be told from the first method" in page
    assert "theirs would take about 160 images in place of 40" in page, "its interval reaches twice as far as it is"
    assert "a note" in page
    assert "share of images (percent)" in page
    assert "−8.8%" not in page, "no share is below 0"


def test_a_table_without_measures_is_shown_as_it_is(tmp_path: Path) -> None:
    table = Measured("Images", [{"image": f"{place}.jpg", "iou": 0.5} for place in range(30)], columns={"image": "id"})
    write([answer(table=table)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count(".jpg</th>") == 30
    assert "<svg viewBox" not in page


def test_what_is_not_known_is_not_drawn(tmp_path: Path) -> None:
    unknown = measured([FIRST, ("nothing", math.nan, (math.nan, math.nan, math.nan))])
    unknown.rows[1]["success_se"] = math.nan
    write([answer(table=unknown)], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "nan" not in page.partition("<svg")[2].partition("</svg>")[0]
    assert len(re.findall(r'-title">([^<]*)</title>', page)) == 1


def test_forty_pictures_stay_below_five_megabytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures = [Picture(f"Figure {place}", "a caption", png(400, random)) for place in range(40)]
    write([answer(*pictures)], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().count("data:image/webp;base64,") == 40
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_axe_finds_no_serious_fault(browser: "Browser", tmp_path: Path) -> None:
    from tests.browser import faults

    drawn = Picture("Figure 3", "Maps beside one another", png(320, np.random.default_rng(0)))
    write([answer(drawn), answer()], tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert faults(page) == []
    page.close()
