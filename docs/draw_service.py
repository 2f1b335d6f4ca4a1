"""Draws the pictures of docs/service.md: ``python docs/draw_service.py``. Needs Playwright and Chromium.

The jobs in them are played on made-up scores, so that anyone can draw them in seconds.
"""

import shutil
import socket
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import sync_playwright

from storage.engine import Database
from tracer import Settings
from tuner.datasets import ImageList, LabelledImage
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.service.app import make_app
from tuner.service.options import Options
from tuner.service.server import Server, make_config
from tuner.service.watch import Watch
from tuner.spec.job import JobSpec
from tuner.workers.pool import SerialPool

PICTURES = Path(__file__).parent / "pictures"
IMAGES = 300


@dataclass(frozen=True)
class MadeUp:
    """Scores that are best at a spread of 8 and a cut of 0.2, with an image's own luck."""

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        """The IOU of each setting, drawn by the number of the image."""
        random = np.random.default_rng(image)
        luck, noise = random.normal(), random.normal(size=len(settings))
        cuts = [each.config.cut if isinstance(each.config.cut, float) else 0.3 for each in settings]
        merit = [-abs(each.config.spread - 8) / 16 - abs(cut - 0.2) for each, cut in zip(settings, cuts, strict=True)]
        ious: NDArray[np.float64] = np.clip(0.62 + np.array(merit) / 2 + 0.15 * luck + 0.05 * noise, 0, 1)
        return ious


def _grey() -> Image.Image:
    return Image.new("RGB", (8, 8), "grey")


def fill(storage: str) -> None:
    """Jobs as they look when they are done, stopped and waiting."""
    boxes = [np.array([[0.0, 0.0, i % 7 + 1.0, 8.0]]) for i in range(IMAGES)]
    images = ImageList(tuple(LabelledImage(f"image{i:03}", None, boxes[i], 8, 8, _grey) for i in range(IMAGES)))
    arms = {"spread": [0.0, 4.0, 8.0, 16.0, 24.0], "cut": [0.1, 0.2, 0.3, 0.4, 0.5]}
    with Database.open(storage, create=True) as database:
        for name, policy, ticks in (
            ("resnet18-race", "race", 10**6),
            ("resnet50-ucb", "ucb1", 40),
            ("vgg16", "race", 0),
        ):
            spec = JobSpec.model_validate(
                {
                    "name": name,
                    "architecture": name.partition("-")[0],
                    "dataset": {"kind": "digits", "images": IMAGES},
                    "arms": arms,
                    "policy": {"kind": policy, "budget": 1500},
                }
            )
            plan = make_plan(spec, images)
            create(database, plan)
            left = iter(range(ticks))
            if ticks:
                play(database, plan, lambda: SerialPool(MadeUp()), stop=lambda left=left: next(left, None) is None)  # type: ignore[misc]


def main() -> None:
    """Draw the pictures into docs/pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listening:
        options = Options(f"sqlite:///{folder}/tuner.db")
        fill(options.storage)
        watch = Watch(options.storage, options.interval)
        server = Server(make_config(make_app(options, watch), options.host, 0), watch)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for name, path, size, scheme in (
                ("service-job", "/view/resnet18-race", (900, 1000), "light"),
                ("service-phone", "/", (390, 640), "dark"),
            ):
                context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
                page = context.new_page()
                page.goto(address + path)
                page.get_by_text("live", exact=True).wait_for()
                page.screenshot(path=PICTURES / f"{name}.png")
            browser.close()
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
