"""The report of a job: one file, whatever the job came to, that anybody can open and read."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.cli import main
from tuner.datasets import load_dataset
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.results.check import checked_images, gains, summarize_check
from tuner.spec.job import JobSpec
from tuner.workers.pool import SerialPool
from tuner.workers.scoring import make_scorer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NETWORK = Path(__file__).parents[2] / "cluster" / "tiny.py"
JOBS: dict[str, dict[str, Any]] = {
    "each": {"check": 0.33, "policy": {"kind": "race", "budget": 300}, "rounds": 2},
    "joint": {"check": 0.33, "search": "joint", "policy": {"kind": "race", "budget": 3000}},
    "unchecked": {},
    "sure": {"check": 0.33, "policy": {"kind": "race", "budget": 300}, "reward": {"kind": "confidence", "keep": 0.25}},
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Jobs of the fake network, a job of a small real one on drawn digits, and one that waits."""
    url = f"sqlite:///{tmp_path_factory.mktemp('report')}/tuner.db"
    with Database.open(url, create=True) as database:
        for name, changes in JOBS.items():
            plan = make_plan(make_spec(name=name, **changes), make_dataset(50))
            create(database, plan)
            play(database, plan, lambda: SerialPool(FakeScorer((3,))))
        create(database, make_plan(make_spec(name="waiting"), make_dataset(50)))
        spec = traced()
        plan = make_plan(spec, load_dataset(spec.dataset))
        create(database, plan)
        play(database, plan, lambda: SerialPool(make_scorer(spec, plan.dataset)))
    return url


def traced() -> JobSpec:
    return JobSpec.model_validate(
        {
            "name": "traced",
            "architecture": f"{NETWORK}:make",
            "dataset": {"kind": "digits", "images": 12},
            "arms": {"cut": [0.2, 0.9], "spread": [4, 12]},
            "base": {"cut": 0.9, "spread": 12},
            "policy": {"kind": "uniform", "budget": 40},
            "reward": {"iou": 0.1},
            "check": 0.5,
        }
    )


def report(storage: str, name: str, output: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", name, "-o", str(output), "--storage", storage, *arguments])


def written(storage: str, name: str, output: Path, *arguments: str) -> str:
    result = report(storage, name, output, *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{output}\n"
    return output.read_text()


@pytest.fixture(scope="module")
def traced_file(storage: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the real network, with pictures."""
    output = tmp_path_factory.mktemp("traced") / "report.html"
    written(storage, "traced", output, "--pictures", "3")
    return output


def data_of(page: str) -> dict[str, Any]:
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    data: dict[str, Any] = json.loads(content)
    return data


@pytest.mark.parametrize("name", [*JOBS, "traced"])
def test_the_verdict_comes_first_and_all_the_sections_follow(storage: str, name: str, tmp_path: Path) -> None:
    page = written(storage, name, tmp_path / "report.html", "--pictures", "0")
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert headings == [
        "What was tuned",
        "Base against learned",
        "Where base and learned differ most",
        "The arms and their race",
        "What would change the verdict",
        "How this report was made",
    ]
    assert page.index('class="lead"') < page.index("<h2")
    assert "tuner report " + name in page


def test_a_combination_is_named_in_the_order_of_its_settings(storage: str, tmp_path: Path) -> None:
    page = written(storage, "joint", tmp_path / "report.html")
    (names,) = set(re.findall(r"<h3[^>]*>Combinations of ([^<]*)</h3>", page))
    best = data_of(page)["arms"][0]["candidate"]
    assert names.split(", ") == list(best)
    assert ", ".join(f"{value:g}" for value in best.values()) in page


def test_figures_are_those_that_the_queries_give(storage: str, tmp_path: Path) -> None:
    from storage import queries
    from tuner.results import tables
    from tuner.results.cells import plain

    data = data_of(written(storage, "each", tmp_path / "report.html"))
    with Database.open(storage) as database, database.reading() as session:
        job = queries.job(session, "each")
        assert data["check"] == plain(summarize_check(session, job))
        assert data["gains"] == plain(gains(session, job).rows)
        assert data["images"] == plain(checked_images(session, job).rows)
        assert data["arms"] == plain(tables.arms(session, "each").rows)


def test_gains_at_the_level_of_the_job_are_those_of_its_check(storage: str) -> None:
    from storage import queries

    with Database.open(storage) as database, database.reading() as session:
        job = queries.job(session, "traced")
        check, rows = summarize_check(session, job), gains(session, job, [0.3, 0.9]).rows
    own = next(row for row in rows if row["iou"] == job.threshold)
    assert [row["iou"] for row in rows] == [0.1, 0.3, 0.9]
    assert (own["base"], own["learned"], own["difference"]) == (check["base"], check["learned"], check["difference"])
    assert [own["low"], own["high"]] == check["interval"]
    assert all(round((row["won"] - row["lost"]) / check["images"], 9) == round(row["difference"], 9) for row in rows)


def test_a_job_of_another_reward_is_told_in_its_words(storage: str, tmp_path: Path) -> None:
    page = written(storage, "sure", tmp_path / "report.html")
    assert "as sure of its class, with the top 25% of the map alone, on" in page
    assert "its confidence is 0.5 or more; the confidence is q / (p + q)" in page
    assert "confidence, learned less base" in page
    assert "IOU" not in page
    assert "whole image, which" not in page
    assert "true boxes are" not in page
    (gain,) = data_of(page)["gains"]
    assert gain["confidence"] == 0.5
    assert "whole_image" not in data_of(page)["images"][0]


def test_a_job_writes_the_same_bytes_again(storage: str, tmp_path: Path) -> None:
    first = written(storage, "unchecked", tmp_path / "report.html")
    assert written(storage, "unchecked", tmp_path / "report.html") == first


def test_nothing_is_fetched_and_no_folder_of_the_machine_is_told(traced_file: Path) -> None:
    page = traced_file.read_text()
    assert str(NETWORK.parent) not in page
    assert "tiny.py:make" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert re.findall(r"<script(?! type=\"application/json\")", page) == []


def test_images_are_explained_again_as_the_job_explained_them(traced_file: Path) -> None:
    page = traced_file.read_text()
    differ = [row for row in data_of(page)["images"] if row["difference"]]
    assert len(differ) >= 3, "the job shows nothing otherwise"
    captions = re.findall(r"<figcaption><strong>([^<]*)</strong><br>([^<]*)</figcaption>", page)
    assert [caption for _, caption in captions] == [
        f"IOU of the base {row['base']:.2f}, learned {row['learned']:.2f}" for row in differ[:3]
    ]
    assert page.count("data:image/webp;base64,") == 3


def test_a_sentence_stands_where_images_cannot_be_explained_again(storage: str, tmp_path: Path) -> None:
    page = written(storage, "joint", tmp_path / "report.html")
    rows = data_of(page)["images"]
    expected = "could not be explained again here" if any(row["difference"] for row in rows) else "come to the same"
    assert expected in page
    assert "the job kept no images aside" in written(storage, "unchecked", tmp_path / "report.html")


@pytest.mark.parametrize(
    ("name", "output", "said"),
    [
        ("nobody", "report.html", "nobody"),
        ("waiting", "report.html", "has no pulls to report yet"),
        ("each", "nowhere/report.html", "nowhere"),
    ],
)
def test_what_goes_wrong_is_one_line(storage: str, tmp_path: Path, name: str, output: str, said: str) -> None:
    result = report(storage, name, tmp_path / output)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_axe_finds_no_serious_fault_on_the_screen_in_the_dark_and_on_paper(
    browser: "Browser", traced_file: Path
) -> None:
    from tests.browser import faults

    page = browser.new_page(viewport={"width": 390, "height": 800})
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(traced_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for seen in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"media": "print"}):
        page.emulate_media(**seen)
        assert faults(page) == []
    assert said == [], "the page does what its own policy forbids"
    page.close()
