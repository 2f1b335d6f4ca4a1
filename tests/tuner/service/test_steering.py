"""Jobs are created, stopped and resumed over HTTP, within what the server was started with."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from storage import leases, queries
from storage.engine import Database
from tests.fuzz.fuzzing import fuzz, texts
from tests.tuner.fakes import make_dataset
from tests.tuner.service.serving import asking
from tuner.errors import BusyError
from tuner.play.lifecycle import create
from tuner.play.plan import make_plan
from tuner.service import schema
from tuner.service.options import DIGITS, Control, Options
from tuner.service.runs import LocalRuns
from tuner.spec.job import JobSpec

JOB = f"architecture: {DIGITS}\ndataset: {{kind: digits, images: 20}}\npolicy: {{kind: ucb1, budget: 50}}\n"


class FakeRuns:
    """Remembers what was started, and runs nothing."""

    def __init__(self) -> None:
        self.started: list[JobSpec] = []
        self.resumed: list[str] = []

    def start(self, spec: JobSpec) -> str:
        if len(self.started) >= 3:
            raise BusyError("three jobs run here already")
        self.started.append(spec)
        return "started"

    def resume(self, name: str) -> str:
        self.resumed.append(name)
        return "resumed"

    def starting(self, name: str) -> JobSpec | None:
        return next((spec for spec in self.started if spec.name == name), None)

    def told(self) -> list[schema.Run]:
        return []

    def standing(self) -> str:
        return f"{len(self.started)} {len(self.resumed)}"


class Place:
    """A server under control with an empty database, and the folder that it takes files from."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "files"
        self.root.mkdir()
        self.runs = FakeRuns()
        self.url = f"sqlite:///{folder}/tuner.db"
        Database.open(self.url, create=True).close()
        self.options = Options(self.url, control=Control((self.root,), frozenset({DIGITS})))
        self.service: httpx.Client

    def put(self, name: str, file: str | bytes) -> httpx.Response:
        return self.service.put(f"/jobs/{name}", content=file)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    with asking(place.options, place.runs) as place.service:
        yield place


def test_a_job_is_created_once_and_its_name_is_taken(place: Place) -> None:
    first = place.put("new", JOB)
    assert (first.status_code, first.json()["state"], first.headers["Location"]) == (201, "starting", "/jobs/new")
    assert place.put("new", f"# the same\nname: other\n{JOB}").status_code == 200
    assert place.put("new", JOB + "seed: 1\n").status_code == 409
    assert [spec.name for spec in place.runs.started] == ["new"]


def test_a_job_in_the_database_is_known_too(place: Place) -> None:
    spec = JobSpec.model_validate({"name": "old", **yaml.safe_load(JOB)})
    with Database.open(place.url) as database:
        create(database, make_plan(spec, make_dataset(50)))
    assert (place.put("old", JOB).status_code, place.put("old", JOB + "seed: 1\n").status_code) == (200, 409)
    assert not place.runs.started


def test_no_more_jobs_run_than_may(place: Place) -> None:
    assert [place.put(f"job{i}", JOB).status_code for i in range(4)] == [201, 201, 201, 429]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"architecture": "os:system"}, "architecture"),
        ({"architecture": "evil.py:make"}, "architecture"),
        ({"explainer": "os:system"}, "explainer"),
        ({"checkpoint": "/etc/passwd"}, "checkpoint"),
        ({"checkpoint": "../tuner.db"}, "checkpoint"),
        ({"checkpoint": "link"}, "checkpoint"),
        ({"dataset": {"kind": "imagenet", "root": "/"}}, "dataset.root"),
        ({"dataset": {"kind": "csv", "root": ".", "labels": "/etc/passwd"}}, "dataset.labels"),
        ({"reward": {"kind": "os:system"}}, "reward.kind"),
        ({"reward": {"kind": "agreement", "explainer": "os:system"}}, "reward.explainer"),
        ({"reward": {"kind": "agreement", "weights": "/etc/passwd"}}, "reward.weights"),
    ],
)
def test_code_and_files_beyond_what_was_allowed_are_refused(place: Place, change: dict[str, object], key: str) -> None:
    (place.root / "link").symlink_to("/etc/passwd")
    job = {"architecture": "resnet18", "dataset": {"kind": "digits"}, "arms": {"cut": [0.1, 0.2]}} | change
    answer = place.put("new", yaml.safe_dump(job))
    assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (403, key)
    assert not place.runs.started


def test_what_is_no_job_is_told_in_one_line(place: Place) -> None:
    for file, said in (("x", "not a job"), ("arms: [", "not YAML"), (b"\xff", "UTF-8"), ("seed: -1", "is missing")):
        answer = place.put("new", file)
        assert (answer.status_code, said in answer.json()["detail"]) == (422, True)
        assert "\n" not in answer.json()["detail"]
    assert place.put("a b", JOB).status_code == 422


def test_mangled_job_files_are_refused_or_taken_and_write_nothing(place: Place) -> None:
    before = sorted(path.name for path in place.root.parent.rglob("*") if "tuner.db" not in path.name)

    @fuzz(25)
    def mangled(file: bytes) -> None:
        place.runs.started.clear()
        assert place.put("fuzz", file).status_code in (201, 403, 413, 422)

    from hypothesis import given

    given(texts(JOB, JOB + "arms: {cut: [0.1, mass 0.2], depth: [image, 4]}\nsearch: joint\nbase: {cur: 0.5}\n"))(
        mangled
    )()
    with Database.open(place.url) as database, database.reading() as session:
        assert not queries.jobs(session)
    assert sorted(path.name for path in place.root.parent.rglob("*") if "tuner.db" not in path.name) == before


def test_a_job_is_stopped_and_goes_on(place: Place) -> None:
    spec = JobSpec.model_validate({"name": "old", **yaml.safe_load(JOB)})
    with Database.open(place.url) as database:
        create(database, make_plan(spec, make_dataset(50)))
        assert place.service.post("/jobs/old/stop").json()["state"] == "stopped"
        assert place.service.post("/jobs/old/stop").status_code == 409
        assert place.service.post("/jobs/old/resume").status_code == 202
        assert place.runs.resumed == ["old"]
        with database.writing() as session:
            leases.acquire(session, "old", "somebody")
        assert place.service.post("/jobs/old/resume").status_code == 409
        assert place.service.post("/jobs/old/stop").json()["state"] == "stopping"
    assert place.service.post("/jobs/none/stop").status_code == 404


def test_a_stored_job_with_code_of_its_own_does_not_go_on(place: Place) -> None:
    spec = JobSpec.model_validate({"name": "own", **yaml.safe_load(JOB), "architecture": "os:system"})
    with Database.open(place.url) as database:
        create(database, make_plan(spec, make_dataset(50)))
    assert place.service.post("/jobs/own/resume").status_code == 403
    assert not place.runs.resumed


def test_the_pages_do_the_same(place: Place) -> None:
    origin = {"Origin": str(place.service.base_url).rstrip("/")}
    refused = place.service.post("/create", data={"name": "new", "file": "<b>"}, headers=origin)
    assert refused.status_code == 422
    assert "&lt;b&gt;" in refused.text, "what was written is kept"
    assert place.service.post("/create", data={"name": "new", "file": JOB}, headers=origin).status_code == 303
    assert [spec.name for spec in place.runs.started] == ["new"]


def test_nothing_is_steered_without_control(service: httpx.Client) -> None:
    assert service.put("/jobs/new", content=JOB).status_code == 405
    assert service.post("/jobs/race/stop").status_code == 404
    assert service.get("/create").status_code == 404


@pytest.mark.slow
def test_a_process_that_fails_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_TOKEN", "a-token-that-no-job-needs")
    runs = LocalRuns(f"sqlite:///{tmp_path}/tuner.db", 1)
    spec = JobSpec.model_validate(
        {"name": "gone", "architecture": "resnet18", "dataset": {"kind": "imagenet", "root": str(tmp_path)}}
    )
    runs.start(spec)
    assert runs.starting("gone") == spec
    with pytest.raises(BusyError):
        runs.resume("another")
    while runs.starting("gone"):
        pass
    (told,) = runs.told()
    assert told.state == "failed"
    assert told.detail.startswith("tuner: ")
