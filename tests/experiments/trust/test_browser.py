"""The forms in a real browser, without a script: by keyboard, on a phone, for screen readers, in light and dark."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from experiments.trust.answers import Answers
from experiments.trust.report import is_found, report
from experiments.trust.study import Study
from tests.experiments.trust.raters import rate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE = {"width": 390, "height": 800}


class Chromium:
    """A page that opens addresses and sends forms."""

    def __init__(self, page: "Page", root: str) -> None:
        self._page = page
        self._root = root

    def get(self, path: str) -> str:
        self._page.goto(self._root + path)
        return self._page.content()

    def send(self, fields: dict[str, str]) -> str:
        for name, value in fields.items():
            self._page.check(f'input[name="{name}"][value="{value}"]')
        self._page.click("form button")
        return self._page.content()


def check_for_everybody(page: "Page", *schemes: str) -> None:
    """Nothing is wider than a phone, and axe finds no serious fault in the light (or in these schemes)."""
    from tests.browser import faults

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for scheme in schemes or ("light",):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert not faults(page)


def test_a_rater_needs_a_keyboard_and_a_phone_alone(browser: "Browser", site: str, answers: Answers) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(site)
    check_for_everybody(page)
    for key in ("Tab", "Tab", "Space", "Tab", "Enter"):  # past the way to the content, to the box and the button
        page.keyboard.press(key)
    page.get_by_role("heading", name="Before you begin").wait_for()
    check_for_everybody(page)
    link = page.url
    page.get_by_role("link", name="first photograph").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Photograph 1 of 8").wait_for()
    check_for_everybody(page, "dark", "light")
    page.get_by_role("group", name="Which map describes the object best?").get_by_label("Map A").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.evaluate("document.forms[0].noValidate = true")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").get_by_role("link").all_inner_texts() == ["How reliable is map B?"]
    check_for_everybody(page)
    assert page.get_by_label("Map B", exact=True).is_checked()
    page.get_by_role("group", name="How reliable is map B?").get_by_label("4").check()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Photograph 2 of 8").wait_for()
    page.goto(link)
    page.get_by_role("link", name="photograph 2 of 8").wait_for()
    (rater,) = answers.all()
    assert (rater.answers[0].best, rater.answers[0].scores) == (1, (1, 4))
    assert rater.answers[0].rt is not None
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("taste", [0.95, 0.5])
def test_the_report_finds_the_taste_of_raters_in_browsers_without_scripts(
    browser: "Browser", site: str, study: Study, answers: Answers, taste: float
) -> None:
    random = np.random.default_rng(0)
    for _ in range(7):
        context = browser.new_context(java_script_enabled=False)
        rate(Chromium(context.new_page(), site), study, lambda _: int(random.random() < taste), random)
        context.close()
    row = report(study, answers.all(), seed=0).tables[0].rows[1]
    assert row["raters"] == 7
    assert is_found(row, "share") == (taste > 0.5)
