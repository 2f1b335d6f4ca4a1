"""Jobs are created, stopped and resumed on a cluster named at start, against the double of Ray's job client."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from storage.engine import Database
from tests.cluster.test_launch import FakeClient, State
from tests.tuner.fakes import make_dataset
from tests.tuner.service.serving import asking, wait
from tests.tuner.service.test_steering import JOB
from tuner.errors import ClusterError
from tuner.launch import Cluster
from tuner.play.lifecycle import create
from tuner.play.plan import make_plan
from tuner.service.options import DIGITS, Control, Options
from tuner.service.runs import ClusterRuns
from tuner.spec.job import JobSpec, load_job


@dataclass
class Lab:
    """A server that steers jobs on a cluster."""

    url: str
    ray: FakeClient
    service: httpx.Client

    def run(self, name: str) -> dict[str, str] | None:
        """What `GET /runs` tells of a job."""
        return next(
            (run for run in self.service.get("/runs").raise_for_status().json()["runs"] if run["name"] == name), None
        )


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr("tuner.service.runs.EVERY", 0.05)
    monkeypatch.setenv("CLUSTER_DB", "postgresql://tuner:s3cret@db/tuner")
    url, ray = f"sqlite:///{tmp_path}/tuner.db", FakeClient()
    Database.open(url, create=True).close()
    control = Control((tmp_path,), frozenset({DIGITS}), "http://head:8265", "CLUSTER_DB")
    with asking(Options(url, control=control), ClusterRuns(lambda: Cluster(ray), "CLUSTER_DB")) as service:  # type: ignore[arg-type]
        yield Lab(url, ray, service)


def test_a_new_job_is_submitted_once_with_the_name_of_its_database_alone(lab: Lab, tmp_path: Path) -> None:
    assert lab.service.put("/jobs/new", content=JOB).status_code == 201
    assert lab.service.put("/jobs/new", content=JOB).status_code == 200, "the database does not know it yet"
    assert lab.service.put("/jobs/new", content=JOB + "seed: 1\n").status_code == 409
    assert lab.ray.jobs["new-1"].entrypoint == "tuner drive job.yaml --name new --storage-env CLUSTER_DB"
    (tmp_path / "sent.yaml").write_text(lab.ray.sent["new-1"]["job.yaml"])
    assert load_job(tmp_path / "sent.yaml") == JobSpec.model_validate({"name": "new", **yaml.safe_load(JOB)})
    assert "s3cret" not in repr(lab.ray)
    assert lab.service.put("/jobs/other", content=JOB.replace(DIGITS, "os:system")).status_code == 403
    assert list(lab.ray.jobs) == ["new-1"]


def test_what_an_attempt_came_to_is_told_though_the_database_never_heard_of_it(lab: Lab) -> None:
    lab.service.put("/jobs/new", content=JOB)
    assert "attempt 1 is" in lab.service.get("/", headers={"Accept": "text/html"}).text
    lab.ray.jobs["new-1"].status, lab.ray.jobs["new-1"].message = State.FAILED, "trace\ntuner: no such folder"
    wait(lambda: "no such folder" in lab.service.get("/").text)
    told = lab.run("new")
    assert told is not None
    assert (told["state"], told["detail"]) == ("failed", "attempt 1 is failed on the cluster: tuner: no such folder")
    assert lab.service.put("/jobs/new", content=JOB).status_code == 201, "it may be tried again"
    assert "new-2" in lab.ray.jobs
    wait(lambda: (lab.run("new") or {})["state"] == "running")


def test_a_stored_job_is_stopped_and_goes_on_as_the_next_attempt(lab: Lab) -> None:
    lab.service.put("/jobs/old", content=JOB)
    with Database.open(lab.url) as database:
        create(database, make_plan(JobSpec.model_validate({"name": "old", **yaml.safe_load(JOB)}), make_dataset(50)))
    assert lab.service.post("/jobs/old/resume").status_code == 409, "its attempt runs"
    assert lab.service.post("/jobs/old/stop").status_code == 202
    lab.ray.jobs["old-1"].status = State.FAILED  # as `tuner drive` ends where it was stopped
    wait(lambda: (lab.run("old") or {})["state"] == "stopped")
    assert lab.service.post("/jobs/old/resume").status_code == 202
    assert lab.ray.jobs["old-2"].entrypoint == "tuner drive --resume old --storage-env CLUSTER_DB"


def test_a_cluster_that_does_not_answer_takes_no_page_away(lab: Lab) -> None:
    lab.ray.broken = ClusterError("cluster: nothing there")
    answer = lab.service.put("/jobs/new", content=JOB)
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    wait(lambda: "nothing there; what runs there is not known" in lab.service.get("/").text)
    assert lab.service.get("/runs").status_code == 503
    assert lab.service.get("/jobs").status_code == lab.service.get("/readyz").status_code == 200
    lab.ray.broken = None
    wait(lambda: lab.service.get("/runs").status_code == 200)
