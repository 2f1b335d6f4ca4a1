"""The routes that read: jobs, arms, pulls, images, events, comparisons and weight files, from the database alone."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Response

from storage.models import JobState
from tuner.errors import JobError
from tuner.results.images import CHOSEN
from tuner.service import schema
from tuner.service.answers import Answers
from tuner.service.problems import documented

LARGEST = 2**31 - 1

TEXT = "^[^\\x00]*$"
"""What the database takes for a text: PostgreSQL takes none with a NUL."""

Name = Annotated[str, Path(max_length=200, pattern=TEXT, description="Name of a job.", examples=["resnet18"])]
Rank = Annotated[int, Path(ge=0, le=LARGEST, description="Position of an image in the job's permutation, from 0.")]
Setting = Annotated[
    str | None,
    Query(max_length=40, pattern=TEXT, description="Only the bandit of this setting; joint, of a joint search."),
]
Round = Annotated[int | None, Query(ge=1, le=LARGEST, description="Only this round.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows of a page, at most.")]
After = Annotated[int, Query(ge=0, le=LARGEST, description="Where the page begins; `next` of the page before says it.")]
Before = Annotated[
    int | None, Query(ge=0, le=LARGEST, description="Where the page begins; `next` of the page before says it.")
]
ArmIds = Annotated[list[int], Query(alias="arm", max_length=50, description="Ids of arms; repeat it for several.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=8000,
        pattern="^[0-9]{1,18}-[0-9]{1,18}([.][0-9]{1,18}-[0-9]{1,18})*$",
        description="Where the page begins; `next` of the page before says it.",
    ),
]


def reading(answers: Answers) -> APIRouter:
    """The routes that read."""
    router = APIRouter(tags=["reading"], responses=documented(404, 422))

    @router.get("/jobs", summary="Jobs")
    def jobs(state: JobState | None = None, before: Before = None, limit: Limit = 25) -> schema.Jobs:
        """Every job with its progress, its leading arms and what was gained, the newest first."""
        return answers.jobs(state, before, limit)

    @router.get("/jobs/{name}", summary="A job")
    def job(name: Name) -> schema.Job:
        """A job with its bandits and its configuration."""
        return answers.job(name)

    @router.get("/jobs/{name}/arms", summary="Arms")
    def arms(
        name: Name,
        setting: Setting = None,
        round: Round = None,  # noqa: A002 (the field's name)
        top: Annotated[
            int | None, Query(ge=1, le=1000, description="Only so many arms of each bandit, the best.")
        ] = None,
        after: After = 0,
        limit: Limit = 1000,
    ) -> schema.Arms:
        """The arms of a job: the mean with its interval, its own baseline, whether it may be best."""
        return answers.arms(name, setting, round, top, after, limit)

    @router.get("/jobs/{name}/race", summary="The race over images")
    def race(
        name: Name,
        setting: Annotated[
            str, Query(max_length=40, pattern=TEXT, description="Of the bandit; joint, of a joint search.")
        ],
        round: Annotated[int, Query(ge=1, le=LARGEST)] = 1,  # noqa: A002 (the field's name)
        top: Annotated[int, Query(ge=1, le=50, description="How many arms.")] = CHOSEN,
    ) -> schema.Race:
        """How the mean reward of the most promising arms of a bandit went over the images."""
        return answers.race(name, setting, round, top)

    @router.get("/jobs/{name}/pulls", summary="Pulls")
    def pulls(
        name: Name,
        setting: Setting = None,
        round: Round = None,  # noqa: A002 (the field's name)
        before: Cursor = None,
        limit: Limit = 100,
    ) -> schema.Pulls:
        """The pulls of a job, the newest first."""
        return answers.pulls(name, setting, round, before, limit)

    @router.get("/jobs/{name}/images", summary="Images by disagreement")
    def images(name: Name, arm: ArmIds = [], after: After = 0, limit: Limit = 100) -> schema.Images:  # noqa: B006
        """The images of a job, those on which the chosen arms (or the most promising ones) disagree most first."""
        return answers.images(name, _known(arm), after, limit)

    @router.get("/jobs/{name}/images/{rank}", summary="An image")
    def image(name: Name, rank: Rank, after: After = 0, limit: Limit = 1000) -> schema.OneImage:
        """What the arms of a job scored on one image, and which pulls read it."""
        return answers.image(name, rank, after, limit)

    @router.get("/jobs/{name}/events", summary="Events")
    def events(name: Name, before: Before = None, limit: Limit = 100) -> schema.Events:
        """What happened to a job, the newest first."""
        return answers.events(name, before, limit)

    @router.get("/compare", summary="Two jobs on common images")
    def compare(
        first: Annotated[str, Query(max_length=200, pattern=TEXT, description="Name of a job.")],
        second: Annotated[str, Query(max_length=200, pattern=TEXT, description="Name of another one.")],
    ) -> schema.Comparison:
        """The arms of two jobs, paired on the images that both were scored on."""
        return answers.compare(first, second)

    files: dict[int | str, dict[str, Any]] = {
        200: {"content": {"application/yaml": {}}, "description": "The weight file"},
        304: {"description": "The asker has it already"},
    }

    @router.get("/jobs/{name}/weights", summary="Weight file of a job", response_class=Response, responses=files)
    def weights(name: Name, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """What a job learned: the very bytes that `tuner export NAME` writes."""
        return _file(answers, name, if_none_match)

    @router.get(
        "/weights/{architecture:path}",
        summary="Weight file of an architecture",
        response_class=Response,
        responses=files,
    )
    def newest(
        architecture: Annotated[str, Path(max_length=1000, pattern=TEXT, examples=["resnet18"])],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """What the newest finished job of an architecture learned: the bytes that `tuner export --arch` writes."""
        try:
            name = answers.newest_of(architecture)
        except JobError as error:
            raise HTTPException(404, str(error)) from error
        return _file(answers, name, if_none_match)

    return router


def _known(arms: list[int]) -> list[int]:
    """Ids that the database can hold."""
    return [arm for arm in arms if 0 < arm <= 2**63 - 1] or ([] if not arms else [0])


def _file(answers: Answers, name: str, kept: str | None) -> Response:
    try:
        content = answers.weights(name)
    except JobError as error:
        raise HTTPException(404, str(error)) from error
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if kept is not None and tag in (each.strip().removeprefix("W/") for each in kept.split(",")):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{name}.yaml"' if name.isascii() else "attachment"
    return Response(content, media_type="application/yaml", headers=headers)
