"""Fixtures every test may use."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is no fault: compiled code is compiled at the first call, and other work may share the processor.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the ImageNet images and checkpoints (``TRACER_DATA``); skips where it is missing."""
    root = Path(os.environ.get("TRACER_DATA", Path(__file__).parents[2] / "shared"))
    if not (root / "imagenet").is_dir() or not (root / "checkpoints").is_dir():
        pytest.skip(f"no ImageNet images and checkpoints at {root}: set TRACER_DATA to their folder")
    return root


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium, for the tests of a module; skips where it, Playwright or axe is missing.

    While it is open, Playwright's event loop runs in this thread, and nothing else can call ``asyncio.run``: hence a
    browser a module, and none for the session.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("axe_playwright_python")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on the PATH: install Debian's package chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
