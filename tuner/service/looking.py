"""The routes that trace an image on demand."""

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request, Response

from tuner.service import schema
from tuner.service.answers import Answers, address
from tuner.service.problems import documented
from tuner.service.reading import LARGEST, Name, Rank
from tuner.service.tracing import MOST_ARMS, WAITING, TracedImage, Tracing

Chosen = Annotated[
    list[int], Query(min_length=1, max_length=MOST_ARMS, description="Ids of arms; repeat it for several.")
]


class Looking:
    """Images of jobs traced on demand, for the API and the pages.

    Args:
        answers: Know the jobs.
        tracing: Traces.
    """

    def __init__(self, answers: Answers, tracing: Tracing) -> None:
        self._answers = answers
        self._tracing = tracing
        self._threads = CapacityLimiter(WAITING + 1)  # others' questions do not wait for a trace

    async def trace(self, name: str, rank: int, arms: list[int], root: str) -> schema.Traced:
        """An image traced with chosen arms."""
        return await to_thread.run_sync(self._traced, name, rank, arms, root, limiter=self._threads)

    async def picture(self, name: str, rank: int, arm: int) -> bytes:
        """The picture of an image traced with an arm, a PNG."""
        found = await to_thread.run_sync(self._found, name, rank, [arm], limiter=self._threads)
        return found[arm].picture

    def _found(self, name: str, rank: int, arms: list[int]) -> dict[int, TracedImage]:
        return self._tracing.trace(self._answers.database, name, rank, arms)

    def _traced(self, name: str, rank: int, arms: list[int], root: str) -> schema.Traced:
        image = self._answers.image(name, rank, 0, 1)
        candidates = {arm.id: arm.candidate for arm in self._answers.arms(name, None, None, None, 0, 10**9).arms}
        found = self._found(name, rank, arms)
        first = next(iter(found.values()))
        return schema.Traced(
            rank=rank,
            image=image.image,
            width=first.size[0],
            height=first.size[1],
            truth=[tuple(box) for box in first.truth.tolist()],
            arms=[
                schema.TracedArm(
                    arm_id=arm,
                    candidate=candidates[arm],
                    box=tuple(each.box.tolist()),
                    iou=each.iou,
                    explained=each.explained,
                    probability=each.probability,
                    picture=root + address("jobs", name, "images", rank, "picture", arm=arm),
                )
                for arm, each in found.items()
            ],
        )


def looking(look: Looking) -> APIRouter:
    """The routes that trace an image on demand."""
    router = APIRouter(tags=["looking closer"], responses=documented(404, 422, 429))

    @router.get("/jobs/{name}/images/{rank}/trace", summary="Trace an image")
    async def trace(name: Name, rank: Rank, arm: Chosen, request: Request) -> schema.Traced:
        """One image traced with chosen arms; 404 where the images or the network are not on this machine."""
        return await look.trace(name, rank, arm, request.scope["root_path"])

    png: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The picture"}}

    @router.get(
        "/jobs/{name}/images/{rank}/picture", summary="Picture of a trace", response_class=Response, responses=png
    )
    async def picture(name: Name, rank: Rank, arm: Annotated[int, Query(ge=1, le=LARGEST)]) -> Response:
        """The image with the map and the box of an arm, and the boxes of the ground truth dashed."""
        return Response(await look.picture(name, rank, arm), media_type="image/png")

    return router
