"""The pages: what the API answers, for people. Each is whole without a script; one script keeps it live."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any, get_args
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import PackageLoader

from storage.models import JobState
from storage.rows import describe
from tracer.errors import TracerError
from tracer.printable import one_line
from tracer.weights import describe_reward
from tuner.errors import ClusterError, TunerError
from tuner.pages import make_environment, stylesheet
from tuner.service.answers import Answers, address
from tuner.service.guard import COOKIE, SESSION, Session
from tuner.service.looking import Looking
from tuner.service.options import Options
from tuner.service.problems import status_of
from tuner.service.reading import TEXT, After, ArmIds, Before, Cursor, Name, Rank, Round
from tuner.service.steering import Steering
from tuner.service.tracing import MOST_ARMS
from tuner.service.views import comparison_chart, comparison_table
from tuner.service.watch import Watch

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

ALL = ""
"""In the place of a job's name: all jobs."""

ROWS = 50
"""Rows of a table on a page."""


@dataclass(frozen=True)
class Frame:
    """What stands around a page.

    Args:
        root: The path under which a proxy shows the server.
        path: The page's own.
        pages: What the navigation leads to.
        changes: Path of the stream that says when the page is to be fetched again; None where it never changes.
        revision: The state that the page was made of.
        signed_in: Whether there is something to sign out of.
    """

    root: str
    path: str
    pages: Mapping[str, str]
    changes: str | None
    revision: str | None
    signed_in: bool


class Templates:
    """Fills templates in.

    Args:
        options: The server's.
        watch: Knows the revisions.
    """

    def __init__(self, options: Options, watch: Watch) -> None:
        self._options = options
        self._watch = watch
        self._environment = make_environment(PackageLoader("tuner.service"))
        self._environment.filters |= {"describe": describe}
        self._environment.globals["address"] = address
        self._pages = {"Jobs": "/", "Compare": "/comparison"}
        if options.control is not None:
            self._pages["Create"] = "/create"
        self._pages["API"] = "/api"

    def render(
        self, template: str, path: str, *, live: str | None = None, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A page.

        Args:
            template: Its file.
            path: Its path.
            live: The job that it changes with, or :data:`ALL`; None where it never changes.
            status: The HTTP status.
            **values: What the template needs.
        """
        frame = Frame(
            self._options.root_path,
            path,
            self._pages if template != "login.html" else {},
            None if live is None else address("changes", job=live or None),
            None if live is None else self._watch.revision(live or None),
            self._options.token is not None and template != "login.html",
        )
        return HTMLResponse(self._environment.get_template(template).render(page=frame, **values), status)

    def problem(self, status: int, title: str, detail: str) -> HTMLResponse:
        """The page that says what went wrong."""
        return self.render("problem.html", "", status=status, title=title, detail=detail)


@dataclass(frozen=True)
class Pages:
    """What the pages are made of.

    Args:
        answers: What there is to show.
        look: Traces images.
        templates: How it is shown.
        steer: Steers jobs, where the server may.
    """

    answers: Answers
    look: Looking
    templates: Templates
    steer: Steering | None


def pages(of: Pages) -> APIRouter:
    """The pages that read."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    answers, templates = of.answers, of.templates

    @router.get("/")
    def jobs(state: JobState | str = "", before: Before = None) -> Response:
        chosen: Any = state if state in get_args(JobState) else None
        found = answers.jobs(chosen, before, ROWS // 2)
        return templates.render(
            "jobs.html",
            "/",
            live=ALL,
            jobs=found,
            following=_page(found.next),
            states=get_args(JobState),
            chosen=chosen,
            **_runs(of.steer),
        )

    @router.get("/view/{name}")
    def job(name: Name, round: Round = None) -> Response:  # noqa: A002 (the field's name)
        return templates.render(
            "job.html",
            address("view", name),
            live=name,
            job=answers.job(name),
            view=answers.view(name, round),
            control=of.steer is not None,
        )

    @router.get("/view/{name}/pulls")
    def pulls(
        name: Name, setting: Annotated[str, Query(max_length=40, pattern=TEXT)] = "", before: Cursor = None
    ) -> Response:
        found = answers.pulls(name, setting or None, None, before, ROWS)
        known = answers.job(name)
        settings = list(dict.fromkeys(bandit.setting for bandit in known.bandits))
        values: dict[str, Any] = {
            "pulls": found,
            "measured": describe_reward(known.reward),
            "following": _page(found.next),
            "setting": setting,
            "settings": settings,
        }
        return templates.render("pulls.html", address("view", name, "pulls"), live=name, name=name, **values)

    @router.get("/view/{name}/images")
    def images(name: Name, arm: ArmIds = [], after: After = 0) -> Response:  # noqa: B006
        found = answers.images(name, arm, after, ROWS)
        measured = describe_reward(answers.job(name).reward)
        values: dict[str, Any] = {"images": found, "following": _page(found.next), "measured": measured}
        return templates.render("images.html", address("view", name, "images"), live=name, name=name, **values)

    @router.get("/view/{name}/images/{rank}")
    async def image(request: Request, name: Name, rank: Rank, arm: ArmIds = [], after: After = 0) -> Response:  # noqa: B006
        found = await run_in_threadpool(answers.image, name, rank, after, 500)
        traced, absent = None, ""
        if arm:
            try:
                traced = await of.look.trace(name, rank, arm[:MOST_ARMS], request.scope["root_path"])
            except (TunerError, TracerError) as error:
                absent = status_of(error)[1]
        measured = describe_reward((await run_in_threadpool(answers.job, name)).reward)
        values: dict[str, Any] = {"traced": traced, "absent": absent, "chosen": arm, "most": MOST_ARMS}
        path = address("view", name, "images", rank)
        following = _page(found.next)
        return templates.render(
            "image.html", path, name=name, image=found, following=following, measured=measured, **values
        )

    @router.get("/view/{name}/events")
    def events(name: Name, before: Before = None) -> Response:
        found = answers.events(name, before, ROWS)
        values: dict[str, Any] = {"events": found, "following": _page(found.next)}
        return templates.render("events.html", address("view", name, "events"), live=name, name=name, **values)

    @router.get("/comparison")
    def comparison(
        first: Annotated[str, Query(max_length=200, pattern=TEXT)] = "",
        second: Annotated[str, Query(max_length=200, pattern=TEXT)] = "",
    ) -> Response:
        found = answers.compare(first, second) if first and second else None
        return templates.render(
            "comparison.html",
            "/comparison",
            live=None if found is None else ALL,
            first=first,
            second=second,
            names=[each.name for each in answers.jobs(None, None, 200).jobs],
            comparison=found,
            chart=found and comparison_chart(found),
            table=found and comparison_table(found),
        )

    @router.get("/api")
    def api(request: Request) -> Response:
        return templates.render("api.html", "/api", operations=_operations(request.app))

    statics = {name: _static(name) for name in ("service.css", "service.js", "icon.svg")}
    statics["base.css"] = stylesheet().encode()

    @router.get("/static/{name}")
    def static(name: str, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        if name not in statics:
            return templates.problem(404, "Not Found", "no such file")
        headers = {"ETag": f'"{hashlib.sha256(statics[name]).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
        if if_none_match == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(statics[name], media_type=TYPES[name.rpartition(".")[2]], headers=headers)

    return router


def _runs(steer: Steering | None) -> dict[str, Any]:
    """What became of what was started here (``runs``), or why that is not known (``trouble``)."""
    try:
        return {"runs": steer.told() if steer else [], "trouble": ""}
    except ClusterError as error:
        return {"runs": [], "trouble": one_line(error)}


def signing(session: Session, templates: Templates, root: str) -> APIRouter:
    """The pages that give a browser its cookie and take it away."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    def ask(following: Annotated[str, Query(alias="next", max_length=2000)] = "/") -> Response:
        return templates.render("login.html", "/login", following=following, refusal="")

    @router.post("/login")
    async def sign_in(request: Request) -> Response:
        given = _form(await request.body())
        following = given.get("next", "/")
        if not session.matches(given.get("token", "")):
            refusal = "that is not the token of this server"
            return templates.render("login.html", "/login", status=403, following=following, refusal=refusal)
        inside = following if following.startswith("/") and not following.startswith(("//", "/\\")) else "/"
        answer = RedirectResponse(root + inside, 303)
        answer.set_cookie(
            COOKIE,
            session.make(),
            max_age=SESSION,
            path=root or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    @router.post("/logout")
    async def sign_out() -> Response:
        answer = RedirectResponse(f"{root}/login", 303)
        answer.delete_cookie(COOKIE, path=root or "/", httponly=True, samesite="strict")
        return answer

    return router


def steering_pages(steer: Steering, templates: Templates, root: str) -> APIRouter:
    """The pages that steer jobs."""
    router = APIRouter(include_in_schema=False)

    def form(name: str = "", file: str = "", refusal: str = "", status: int = 200) -> Response:
        values: dict[str, Any] = {"name": name, "file": file, "refusal": refusal, "folder": steer.folder}
        return templates.render("create.html", "/create", status=status, **values)

    @router.get("/create")
    def ask() -> Response:
        return form()

    @router.post("/create")
    async def create(request: Request) -> Response:
        given = _form(await request.body())
        name, file = given.get("name", ""), given.get("file", "")
        try:
            await steer.create(name, file)
        except (TunerError, TracerError) as error:
            status, detail = status_of(error)
            return form(name, file, detail, status)
        return RedirectResponse(f"{root}/", 303)

    @router.post("/view/{name}/steer")
    async def change(name: Name, request: Request) -> Response:
        do = _form(await request.body()).get("do")
        await (steer.stop(name) if do == "stop" else steer.resume(name))
        return RedirectResponse(root + address("view", name), 303)

    return router


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form as a browser sends them."""
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _page(following: str | None) -> str | None:
    """The page that shows what an address of the API answers."""
    if following is None:
        return None
    return (
        following.replace("/jobs/", "/view/", 1)
        if following.startswith("/jobs/")
        else following.replace("/jobs", "/", 1)
    )


def _static(name: str) -> bytes:
    return files("tuner.service").joinpath("static", name).read_bytes()


def _operations(app: FastAPI) -> list[dict[str, Any]]:
    """The operations of the API, as its page shows them."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    return [
        {
            "id": operation["operationId"],
            "tag": operation["tags"][0],
            "method": method.upper(),
            "path": path,
            "description": operation.get("description", ""),
            "parameters": [{"description": "", **each} for each in operation.get("parameters", [])],
            "answers": {status: _answer(answer, schemas) for status, answer in operation["responses"].items()},
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _answer(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, str]:
    contents: Mapping[str, Any] = answer.get("content") or {"": {}}
    kind, content = next(iter(contents.items()))
    named = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    example = _example(schemas, named) if named and named != "Problem" else None
    shown = json.dumps(example, indent=2, ensure_ascii=False) if example is not None else ""
    return {"description": answer["description"], "kind": kind, "example": shown}


def _example(schemas: Mapping[str, Any], name: str) -> Any:
    """An example of an answer: its own, or one put together of its parts'."""
    of = schemas[name]
    if "examples" in of:
        return of["examples"][0]
    return {key: _part(schemas, value) for key, value in of.get("properties", {}).items()}


def _part(schemas: Mapping[str, Any], of: Mapping[str, Any]) -> Any:
    if "$ref" in of:
        return _example(schemas, of["$ref"].rpartition("/")[2])
    if of.get("type") == "array":
        return [_part(schemas, of.get("items", {}))]
    return {"string": "…", "integer": 0, "number": 0.0, "boolean": True, "object": {}}.get(of.get("type", ""))
