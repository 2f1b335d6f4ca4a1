"""The pages in a real browser: for keyboards and screen readers, on a phone, in the dark, and while a job runs."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from storage.engine import Database
from tests.browser import faults
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tests.tuner.service.serving import fill, serving
from tests.tuner.service.test_steering import FakeRuns
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.service.options import DIGITS, Control, Options
from tuner.workers.pool import SerialPool

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES = ("/", "/view/race")
MORE = (
    "/view/race/pulls",
    "/view/race/images",
    "/view/race/images/0",
    "/view/race/events",
    "/comparison?first=race&second=other",
    "/create",
    "/api",
    "/view/none",
)


class SlowScorer(FakeScorer):
    """Scores as a network does: not at once."""

    def score(self, image, settings):  # type: ignore[no-untyped-def]
        time.sleep(0.1)
        return super().score(image, settings)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[tuple[str, str]]":
    """A server with control and a database of its own: its address, and the database's."""
    folder = tmp_path_factory.mktemp("pages")
    url = f"sqlite:///{folder}/tuner.db"
    fill(url)
    control = Control((folder,), frozenset({DIGITS}))
    with serving(Options(url, control=control, interval=0.1), FakeRuns()) as address:
        yield address, url


@pytest.fixture(scope="module")
def page(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(60_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert not wrong, "the script failed, or something was blocked by the page's own policy"


@pytest.mark.parametrize("path", [*PAGES, *(pytest.param(path, marks=pytest.mark.slow) for path in MORE)])
def test_a_page_serves_everybody_on_a_phone_and_in_the_dark_and_in_the_light(
    site: tuple[str, str], page: "Page", path: str
) -> None:
    page.goto(site[0] + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, (
        "nothing but tables and charts scrolls sideways"
    )
    assert page.locator("h1").count() == 1
    assert not faults(page)
    page.emulate_media(color_scheme="light")
    assert not faults(page)
    page.emulate_media(color_scheme="dark")


def test_all_that_can_be_done_can_be_done_by_the_keyboard(site: tuple[str, str], page: "Page") -> None:
    page.goto(site[0])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.locator("#state").focus()
    page.keyboard.type("finished")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**state=finished")
    assert page.locator("tbody tr").count() == 2
    page.get_by_role("link", name="race").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/view/race")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


def test_a_page_follows_a_job_keeps_what_its_reader_did_and_pauses(site: tuple[str, str], page: "Page") -> None:
    address, url = site
    spec = make_spec(
        name="running", policy={"kind": "uniform", "budget": 3 * 60}, dataset={"kind": "digits", "images": 60}
    )
    with Database.open(url) as database, ThreadPoolExecutor() as threads:
        plan = make_plan(spec, make_dataset(80))
        create(database, plan)
        page.goto(f"{address}/view/running")
        page.get_by_text("live", exact=True).wait_for()
        stop = False
        job = threads.submit(play, database, plan, lambda: SerialPool(SlowScorer()), stop=lambda: stop)
        try:
            page.locator("figure summary").first.click()
            note = page.locator("[data-live=standing] .note").first
            first = note.inner_text()
            page.wait_for_function(
                "(first) => document.querySelector('[data-live=standing] .note').innerText !== first", arg=first
            )
            assert page.locator("figure details").first.get_attribute("open") is not None, "what was opened stays open"
            assert page.evaluate("document.activeElement.tagName") == "SUMMARY", "the focus stays where it was"
            page.get_by_role("button", name="Pause updates").click()
            page.get_by_text("paused", exact=True).wait_for()
            still = note.inner_text()
            page.wait_for_timeout(1500)
            assert note.inner_text() == still
            page.reload()
            page.get_by_text("paused", exact=True).wait_for()
            page.get_by_role("button", name="Go on with updates").click()
            page.get_by_text("live", exact=True).wait_for()
            job.result(60)
            page.get_by_text("finished").first.wait_for()
        finally:
            stop = True


def test_a_hidden_page_has_no_stream(site: tuple[str, str], page: "Page") -> None:
    page.goto(site[0])
    page.get_by_text("live", exact=True).wait_for()
    hide = """value => {
        Object.defineProperty(document, "hidden", {value, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    assert page.evaluate("stream === null")
    page.evaluate(hide, False)
    assert page.evaluate("stream !== null")


def test_a_job_is_created_in_a_browser(site: tuple[str, str], page: "Page") -> None:
    page.goto(f"{site[0]}/create")
    page.get_by_label("Name").fill("new")
    page.get_by_label("Job file").fill("architecture: os:system\ndataset: {kind: digits}")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("alert").wait_for()
    assert "code that this server does not run" in page.get_by_role("alert").inner_text()
    page.get_by_label("Job file").fill(f"architecture: {DIGITS}\ndataset: {{kind: digits}}")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="Tuning jobs").wait_for()
