"""Studies without a network, and raters who fill in the forms as a browser sends them."""

import hashlib
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Protocol

import numpy as np

from experiments.trust.sheets import make_sheets
from experiments.trust.study import FILE, STIMULI, Condition, Kind, Stimulus, Study, Told, Trial

KINDS: list[Kind] = ["practice", *["rated"] * 6, "attention"]
PIXEL = b"\xff\xd8not much of a picture"


def make_study(folder: Path, names: tuple[str, ...] = ("plain", "better"), sheets: int = 4) -> Study:
    """A frozen study with one trial of practice, six that count and one of attention."""

    def freeze(text: str) -> Stimulus:
        content = PIXEL + text.encode()
        digest = hashlib.sha256(content).hexdigest()
        (folder / STIMULI / f"{digest[:16]}.jpg").write_bytes(content)
        return Stimulus(file=f"{digest[:16]}.jpg", sha256=digest)

    (folder / STIMULI).mkdir(parents=True)
    trials = [
        Trial(
            kind=kind,
            image=f"image-{place}",
            pixels_sha256=None,
            object=f"<thing> {place}",
            picture=freeze(f"{place}"),
            maps=tuple(freeze(f"{place} {name}") for name in names),
            told=Told(best=1, score=2) if kind == "attention" else None,
        )
        for place, kind in enumerate(KINDS)
    ]
    study = Study(
        seed=0,
        contact="lab & co",
        conditions=tuple(
            Condition(name=name, network=name, parameters_sha256="0", method="tracer", settings=None) for name in names
        ),
        trials=tuple(trials),
        sheets=tuple(make_sheets(trials, len(names), sheets, np.random.default_rng(0))),
        made={},
    )
    (folder / FILE).write_bytes(study.document)
    return study


class Browser(Protocol):
    """What a rater needs of a browser: a page's text, and to send its form."""

    def get(self, path: str) -> str:
        """Open a page."""
        ...

    def send(self, fields: dict[str, str]) -> str:
        """Send the form of the page that is open; the text of the page that follows."""
        ...


Choice = Callable[[list[int]], int]
"""The conditions from left to right → the one that a rater likes best."""


def rate(browser: Browser, study: Study, choose: Choice, random: np.random.Generator, *, heedful: bool = True) -> str:
    """Take part from consent to thanks; returns the rater's link.

    The rater sees pictures and letters alone: which condition made a map is looked up by the picture's name.

    Args:
        browser: Opens pages and sends forms.
        study: To look up what made a map.
        choose: The rater's taste.
        random: Of the scores.
        heedful: Whether the rater does what an attention trial says.
    """
    maps = {each.file: place for trial in study.trials for place, each in enumerate(trial.maps)}
    browser.get("/")
    text = browser.send({"agree": "yes"})
    link = re.search(r"/raters/[\w-]+", text)
    assert link is not None
    text = browser.get(f"{link[0]}/trials/1")
    while "Thank you" not in text:
        sides = [maps[name] for name in re.findall(r'<label><img src="/stimuli/([^"]+)"', text)]
        best = sides.index(choose(sides))
        scores = [
            int(random.integers(4, 6)) if place == best else int(random.integers(2, 5)) for place in range(len(sides))
        ]
        if (told := re.search(r"choose map (\w), and give every map a (\d)", text)) and heedful:
            best, scores = "ABC".index(told[1]), [int(told[2])] * len(sides)
        answer = {"best": str(best + 1)} | {f"score_{place}": str(score) for place, score in enumerate(scores, 1)}
        text = browser.send(answer)
    return link[0]


def hidden(text: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
    return {name: unescape(value) for name, value in found}
