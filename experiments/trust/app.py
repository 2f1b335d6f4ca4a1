"""The application that asks raters: the guard, then the routes to the pages."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from experiments.errors import AnswersError
from experiments.trust.answers import Answers, Rater
from experiments.trust.forms import missing, read_answer, read_fields
from experiments.trust.guard import Guard
from experiments.trust.pages import Pages, milliseconds
from experiments.trust.study import STIMULI, Study


async def _fields(request: Request) -> dict[str, str]:
    return read_fields(await request.body())


Fields = Annotated[dict[str, str], Depends(_fields)]


def make_app(study: Study, folder: Path, answers: Answers, hosts: Iterable[str] = ()) -> FastAPI:
    """The application of a study.

    Args:
        study: What raters are shown.
        folder: The study's folder.
        answers: Where their answers are kept.
        hosts: Names under which the server may be reached, beside those of this machine.
    """
    pages = Pages(study)
    app = FastAPI(title="Which map describes the object best?", openapi_url=None)
    app.middleware("http")(Guard(frozenset(name.lower() for name in hosts)))
    app.include_router(_entrance(study, answers, pages))
    app.include_router(_rating(study, answers, pages))
    app.include_router(_pictures(study, folder, pages))

    @app.exception_handler(AnswersError)
    async def not_kept(_: Request, __: Exception) -> Response:
        return pages.message("That did not work", "Your answer could not be kept. Go back and send it again.", 503)

    @app.exception_handler(404)
    async def unknown(_: Request, __: Exception) -> Response:
        detail = "The link is not known here: it may be mistyped, or its answers were deleted."
        return pages.message("There is no such page", detail, 404)

    return app


def _entrance(study: Study, answers: Answers, pages: Pages) -> APIRouter:
    """Consent: only who agrees becomes a rater."""
    router = APIRouter()

    @router.get("/")
    def ask() -> Response:
        return pages.consent()

    @router.post("/")
    def agree(fields: Fields) -> Response:
        if fields.get("agree") != "yes":
            return pages.consent(refused=True)
        return RedirectResponse(f"/raters/{answers.admit(len(study.sheets))}", 303)

    return router


def _rating(study: Study, answers: Answers, pages: Pages) -> APIRouter:
    """What a rater does, who is known by the token in the link."""
    router = APIRouter(prefix="/raters/{token}")
    places = len(study.conditions)

    def find(token: str) -> Rater:
        rater = answers.find(token)
        if rater is None:
            raise HTTPException(404)
        return rater

    def follow(token: str, rater: Rater) -> Response:
        """Lead a rater to the first trial without an answer, or to the thanks."""
        done = rater.next == len(pages.sheet(rater))
        return RedirectResponse(f"/raters/{token}" + ("" if done else f"/trials/{rater.next + 1}"), 303)

    @router.get("")
    def welcome(token: str, request: Request) -> Response:
        return pages.welcome(token, find(token), str(request.url))

    @router.get("/trials/{number}")
    def ask(token: str, number: int) -> Response:
        rater = find(token)
        return pages.trial(token, rater) if _is_next(number, rater, pages) else follow(token, rater)

    @router.post("/trials/{number}")
    def take(token: str, number: int, fields: Fields) -> Response:
        rater = find(token)
        if not _is_next(number, rater, pages):
            return follow(token, rater)
        if unanswered := missing(fields, places):
            return pages.trial(token, rater, fields, unanswered)
        answers.add(token, rater.next, read_answer(fields, places, milliseconds()))
        return follow(token, find(token))

    @router.get("/withdrawal")
    def ask_to_withdraw(token: str) -> Response:
        return pages.withdrawal(token, find(token))

    @router.post("/withdrawal")
    def withdraw(token: str) -> Response:
        find(token)
        answers.withdraw(token)
        return pages.message("Deleted", "Your answers are deleted, and so is your link. You may close this page.")

    return router


def _is_next(number: int, rater: Rater, pages: Pages) -> bool:
    """Whether a trial, counted from 1, is the first that the rater has not answered."""
    return number == rater.next + 1 <= len(pages.sheet(rater))


def _pictures(study: Study, folder: Path, pages: Pages) -> APIRouter:
    """The pictures of the study, under names that tell nothing, and the style sheet."""
    router = APIRouter()
    stimuli = study.stimuli

    @router.get("/stimuli/{name}")
    def stimulus(name: str) -> Response:
        if name not in stimuli:
            raise HTTPException(404)
        kept = {"Cache-Control": "private, max-age=86400"}
        return FileResponse(folder / STIMULI / name, media_type="image/jpeg", headers=kept)

    @router.get("/style.css")
    def style() -> Response:
        return Response(pages.style, media_type="text/css")

    return router
