"""What raters see: pages of plain forms, without a script."""

import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import PackageLoader

from experiments.trust.answers import Rater
from experiments.trust.forms import BEST, SCALE, score_field
from experiments.trust.study import LETTERS, Sheet, Study
from tuner.pages import make_environment, stylesheet

_SECONDS = 25
"""What a trial takes, about; the page of consent says how long all of them take."""


class Pages:
    """The pages of a study.

    Args:
        study: What raters are shown.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._environment = make_environment(PackageLoader("experiments.trust"))
        self.style = stylesheet() + files("experiments.trust").joinpath("templates", "trust.css").read_text("utf-8")

    def sheet(self, rater: Rater) -> Sheet:
        """What a rater sees."""
        return self._study.sheets[rater.sheet]

    def consent(self, *, refused: bool = False) -> HTMLResponse:
        """What the study is about, and whether one would take part; ``refused`` where the box was not ticked."""
        trials = len(self._study.sheets[0])
        minutes = max(1, round(trials * _SECONDS / 60))
        return self._page("consent.html", 422 if refused else 200, trials=trials, minutes=minutes, refused=refused)

    def welcome(self, token: str, rater: Rater, link: str) -> HTMLResponse:
        """The rater's own link, and the way to the next trial; thanks where all are done."""
        sheet = self.sheet(rater)
        template = "welcome.html" if rater.next < len(sheet) else "thanks.html"
        example = next((trial.maps[0] for trial in self._study.trials if trial.kind == "practice"), None)
        return self._page(template, token=token, link=link, next=rater.next, trials=len(sheet), example=example)

    def trial(
        self, token: str, rater: Rater, fields: Mapping[str, str] | None = None, unanswered: Sequence[str] = ()
    ) -> HTMLResponse:
        """The first trial that a rater has not answered yet.

        Args:
            token: The rater's.
            rater: Whose turn it is.
            fields: What a form held that was sent and is not complete; its answers stay chosen.
            unanswered: The fields of the questions that it lacks.
        """
        sheet = self.sheet(rater)
        showing = sheet[rater.next]
        trial = self._study.trials[showing.trial]
        places = [
            {"letter": LETTERS[place], "map": trial.maps[condition], "field": score_field(place)}
            for place, condition in enumerate(showing.sides)
        ]
        questions = {BEST: "Which map describes the object best?"}
        questions |= {str(place["field"]): f"How reliable is map {place['letter']}?" for place in places}
        return self._page(
            "trial.html",
            422 if unanswered else 200,
            token=token,
            number=rater.next,
            trials=len(sheet),
            trial=trial,
            told=trial.told and {"letter": LETTERS[trial.told.best], "score": trial.told.score},
            places=places,
            questions=questions,
            unanswered=unanswered,
            fields=fields or {},
            scale=SCALE,
            shown=milliseconds(),
        )

    def withdrawal(self, token: str, rater: Rater) -> HTMLResponse:
        """Whether a rater really wants the answers deleted."""
        return self._page("withdrawal.html", token=token, count=len(rater.answers))

    def message(self, heading: str, detail: str, status: int = 200) -> HTMLResponse:
        """A page that only says something."""
        return self._page("message.html", status, heading=heading, detail=detail)

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        page = self._environment.get_template(template).render(values, contact=self._study.contact)
        return HTMLResponse(page, status)


def milliseconds() -> int:
    """The time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
