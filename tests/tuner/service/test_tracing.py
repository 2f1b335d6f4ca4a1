"""One image is traced on demand, in a process of its own; where that cannot be, the numbers are there still."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from storage.engine import Database
from tests.tuner.fakes import make_spec
from tests.tuner.service.serving import add, asking
from tuner.datasets import load_dataset
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.service.options import Options
from tuner.service.pictures import SIDE, draw
from tuner.workers.pool import SerialPool
from tuner.workers.scoring import make_scorer

TINY = f"{Path(__file__).parents[2] / 'cluster' / 'tiny.py'}:make"


@pytest.fixture(scope="module")
def tracer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A job whose network and images are at hand, played with real scores."""
    url = f"sqlite:///{tmp_path_factory.mktemp('tracing')}/tuner.db"
    spec = make_spec(
        name="here", architecture=TINY, dataset={"kind": "digits", "images": 12}, arms={"cut": [0.2, 0.5]}, check=0
    )
    dataset = load_dataset(spec.dataset)
    with Database.open(url, create=True) as database:
        plan = make_plan(spec, dataset)
        create(database, plan)
        play(database, plan, lambda: SerialPool(make_scorer(spec, dataset)))
    with asking(Options(url, factories=frozenset({TINY}))) as client:
        client.timeout = 120
        yield client


@pytest.mark.slow
def test_a_traced_image_has_the_scores_that_the_job_stored(tracer: httpx.Client) -> None:
    scores = tracer.get("/jobs/here/images/3").json()["scores"]
    query = "&".join(f"arm={score['arm_id']}" for score in scores)
    traced = tracer.get(f"/jobs/here/images/3/trace?{query}").raise_for_status().json()
    assert [arm["iou"] for arm in traced["arms"]] == [pytest.approx(score["value"]) for score in scores]
    picture = Image.open(io.BytesIO(tracer.get(traced["arms"][0]["picture"]).content))
    assert (picture.format, max(picture.size)) == ("PNG", SIDE)
    assert picture.width * traced["height"] == picture.height * traced["width"]
    page = tracer.get(f"/view/here/images/3?{query}").text
    assert page.count("<img ") == len(scores)


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"architecture": "os:system"}, 403, "code that this server does not run"),
        ({"explainer": "os:system", "arms": {"cut": [0.2, 0.5]}}, 403, "code that this server does not run"),
        pytest.param(
            {"architecture": "resnet18", "dataset": {"kind": "csv", "root": "/nonexistent"}},
            404,
            "not on this server",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_where_it_cannot_be_traced_the_numbers_are_shown(
    tmp_path: Path, change: dict[str, object], status: int, said: str
) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        add(database, make_spec(**{"name": "job", "architecture": "resnet18", **change}))
    with asking(Options(url)) as service:
        service.timeout = 120
        arm = service.get("/jobs/job/images/3").json()["scores"][0]["arm_id"]
        answer = service.get(f"/jobs/job/images/3/trace?arm={arm}")
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True)
        page = service.get(f"/view/job/images/3?arm={arm}")
        assert (page.status_code, said in page.text) == (200, True)
        assert "What arms scored on it" in page.text


def test_an_arm_that_the_job_has_not_is_not_traced(service: httpx.Client) -> None:
    assert service.get("/jobs/race/images/3/trace?arm=9999").status_code == 404
    assert service.get("/jobs/race/images/3/trace").status_code == 422


def test_a_picture_shows_map_and_boxes() -> None:
    image = Image.new("RGB", (1000, 400), "grey")
    box, truth = np.array([100.0, 100, 500, 300]), np.array([[300.0, 50, 900, 350]])
    drawn = np.asarray(Image.open(io.BytesIO(draw(image, np.eye(4), box, truth))).convert("RGB")).astype(int)
    assert drawn.shape == (205, 512, 3)
    yellow = np.argwhere((drawn[..., 0] > 240) & (drawn[..., 1] > 200) & (drawn[..., 2] < 40))
    scale = 512 / 1000
    assert np.abs(yellow.min(axis=0) - np.array([100, 100]) * scale).max() < 4
    assert np.abs(yellow.max(axis=0) - np.array([300, 500]) * scale).max() < 4
