"""What the templates make of values, and how a page of every chart does in a browser."""

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from jinja2 import DictLoader, UndefinedError
from PIL import Image

from tuner.pages import make_environment
from tuner.pages.charts import (
    Bar,
    BarChart,
    Chart,
    DifferenceChart,
    Interval,
    IntervalChart,
    Line,
    LineChart,
    Reference,
)
from tuner.pages.report import MOST, embed
from tuner.results.table import Table

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMPORTS = """
{% from "charts.html" import intervals, lines, differences, bars %}
{% from "tables.html" import rows, facts %}
"""
HOSTILE = "</title><script>alert('&')</script>"
WHOLE = Reference("whole image", 0.45)
CHARTS: dict[str, Chart] = {
    "intervals": IntervalChart(
        "arms",
        "The arms of depth",
        "Arm 16 does best.",
        [
            Interval("32", 0.62, 0.52, 0.72, ("may be best",)),
            Interval("16", 0.66, 0.56, 0.76, ("winner", "may be best")),
            Interval("8", 0.5, 0.4, 0.6, ("ruled out", "base")),
            Interval(HOSTILE, 0.3, 0.2, 0.4),
        ],
        "images boxed right",
        reference=WHOLE,
    ),
    "lines": LineChart(
        "race",
        "The race",
        "Arm 16 stays ahead; arm 8 ends early.",
        [
            Line("16", [(1, 1.0), (2, 0.5), (100, 0.66)], ("winner", "may be best")),
            Line("8", [(1, 0.0), (60, 0.4)], ("ruled out", "base")),
            Line(HOSTILE, [(1, 0.0)]),
        ],
        "images seen",
        "mean reward",
        reference=WHOLE,
    ),
    "differences": DifferenceChart(
        "gains",
        "Learned less base",
        "Most images gain.",
        [-0.3, 0.0, 0.0, 0.12, 0.5, 1.0],
        "IOU",
        Interval("mean", 0.22, -0.1, 0.5),
    ),
    "bars": BarChart("pulls", "Pulls", "Arm 16 was pulled most.", [Bar("16", 100, ("winner",)), Bar("8", 0)], "pulls"),
}


def fill(template: str, **values: Any) -> str:
    return make_environment(DictLoader({"page": IMPORTS + template})).get_template("page").render(values)


def svg_of(page: str) -> ET.Element:
    found = re.search(r"<svg[^>]*role=\"img\".*?</svg>", page, re.DOTALL)
    assert found
    return ET.fromstring(found[0])


@pytest.mark.parametrize("macro", CHARTS)
def test_a_chart_is_an_image_with_its_words_and_its_figures_beside(macro: str) -> None:
    chart: Any = CHARTS[macro]
    page = fill("{{ " + macro + "(chart) }}", chart=chart)
    svg = svg_of(page)
    words = {element.get("id"): element.text for element in svg.iter() if element.get("id")}
    assert words == {f"{chart.name}-title": chart.title, f"{chart.name}-desc": chart.description}
    assert svg.get("aria-labelledby") == f"{chart.name}-title {chart.name}-desc"
    assert page.count('<th scope="row">') == len(chart.table.rows) > 1


@pytest.mark.parametrize("macro", ["intervals", "lines"])
def test_marks_are_explained_once_each(macro: str) -> None:
    page = fill("{{ " + macro + "(chart) }}", chart=CHARTS[macro])
    key = re.findall(r"</svg>([\w ]+)</span>", page)
    assert key == [mark for mark in ("winner", "may be best", "ruled out", "base") if mark in key]
    assert {"winner", "ruled out", "base"} <= set(key)


@pytest.mark.parametrize("macro", CHARTS)
def test_all_of_a_picture_lies_in_its_frame(macro: str) -> None:
    svg = svg_of(fill("{{ " + macro + "(chart) }}", chart=CHARTS[macro]))
    _, _, width, height = (float(number) for number in svg.attrib["viewBox"].split())
    for element in svg.iter():
        for across in ("x", "cx"):
            assert -8 <= float(element.get(across, 0)) <= width
        for down in ("y", "cy"):
            assert -8 <= float(element.get(down, 0)) <= height
        assert float(element.get("width", 0)) >= 0
        assert float(element.get("height", 0)) >= 0


def test_what_a_user_named_is_no_markup() -> None:
    page = fill(
        "{{ intervals(chart) }}{{ rows(table) }}", chart=CHARTS["intervals"], table=Table(HOSTILE, [{HOSTILE: HOSTILE}])
    )
    assert "<script" not in page
    assert "&lt;script" in page


def test_a_value_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="verdict"):
        fill("{{ verdict }}")


def test_a_table_shows_what_is_for_people() -> None:
    table = Table("arms", [{"mean_iou": 0.123456, "claim": "x", "best": [0.1, 0.2]}], ("a note",), ("claim",))
    page = fill("{{ rows(table) }}", table=table)
    assert re.findall(r"<th scope=\"col\"[^>]*>([^<]*)", page) == ["mean iou", "best"]
    assert re.findall(r"<t[hd](?: scope=\"row\")?>([^<]*)", page) == ["0.1235", "0.1 0.2"]
    assert "a note" in page
    assert "nothing here" in fill("{{ rows(table) }}", table=Table("none", []))


def test_differences_of_nothing_have_a_bar_of_their_own_and_every_image_is_counted() -> None:
    chart = CHARTS["differences"]
    assert isinstance(chart, DifferenceChart)
    bars = chart.counted
    assert sum(bar.count for bar in bars) == 6
    assert [bar.count for bar in bars if bar.low == bar.high == 0] == [2]
    assert all(bar.low <= 0 if bar.high <= 0 else bar.low >= 0 for bar in bars)
    assert [bar.low for bar in bars] == sorted(bar.low for bar in bars)


def test_names_beside_lines_do_not_lie_on_one_another() -> None:
    lines = [Line(name, [(0, 0.5), (10, mean)], ("base",)) for name, mean in [("a", 0.5), ("b", 0.501), ("c", 0.502)]]
    chart = LineChart("race", "race", "race", lines, "images", "mean", reference=Reference("whole", 0.5))
    labels = chart.labels(chart.x.across(0, 100), chart.y.across(100, 0), 50, 15)
    heights = sorted(label.y for label in labels)
    assert len(heights) == 4
    assert all(low + 15 <= high for low, high in pairwise(heights))


@pytest.mark.parametrize("pictures", [1, 40, 4000])
def test_a_picture_takes_no_more_than_its_part_of_the_file(pictures: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    uri, shown = embed(Image.fromarray(noise), 200, 200, pictures)
    assert len(uri) <= MOST // pictures
    assert shown.width <= 200
    assert shown.height <= 200
    assert abs(shown.width / shown.height - 4 / 3) < 0.1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_and_nothing_sticks_out_of_a_phone(
    browser: "Browser", tmp_path: Path, scheme: Any
) -> None:
    from tests.browser import faults

    drawn = "".join(f"<h2>{macro}</h2>{{{{ {macro}({macro}_chart) }}}}" for macro in CHARTS)
    body = f'<h1>Charts</h1><p class="lead">What comes first.</p>{drawn}{{{{ facts({{"seed": 0}}) }}}}'
    blocks = f"{{% block title %}}t{{% endblock %}}{{% block main %}}{body}{{% endblock %}}"
    template = f'{{% extends "base.html" %}}{IMPORTS}{blocks}'
    charts = {f"{macro}_chart": chart for macro, chart in CHARTS.items()}
    (tmp_path / "page.html").write_text(make_environment(DictLoader({"t": template})).get_template("t").render(charts))
    page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len(asked) == 1, "a page needs nothing but itself"
    page.close()
