"""Attempts of a job on a cluster, against a hand-written double of Ray's job client."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from ray._private.runtime_env.packaging import create_package

from tuner.errors import ClusterError
from tuner.launch import SECRETS, Cluster, connect


class State(Enum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass
class Details:
    submission_id: str
    entrypoint: str
    metadata: dict[str, str] | None
    runtime_env: dict[str, Any] | None = None
    status: State = State.RUNNING
    message: str | None = None
    start_time: int | None = 1_700_000_000_000
    end_time: int | None = None


def packed(runtime_env: dict[str, Any]) -> dict[str, str]:
    """The files that Ray itself packs for such an environment, and what is in them."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "package.zip")
        excludes = runtime_env.get("excludes")
        create_package(runtime_env["working_dir"], archive, include_gitignore=True, excludes=excludes)
        with ZipFile(archive) as files:
            return {name: files.read(name).decode() for name in files.namelist() if not name.endswith("/")}


@dataclass
class FakeClient:
    """Keeps jobs as Ray's job server does, and the files that each was sent."""

    jobs: dict[str, Details] = field(default_factory=dict)
    sent: dict[str, dict[str, str]] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)
    broken: Exception | None = None

    def submit_job(
        self, *, entrypoint: str, submission_id: str, runtime_env: dict[str, Any] | None, metadata: dict[str, str]
    ) -> str:
        if submission_id in self.jobs:
            raise RuntimeError(
                f"Request failed with status code 500: Traceback\n  File x\nValueError: {submission_id} exists.\n."
            )
        self.jobs[submission_id] = Details(submission_id, entrypoint, metadata, runtime_env)
        self.sent[submission_id] = packed(runtime_env) if runtime_env else {}
        return submission_id

    def list_jobs(self) -> list[Details]:
        if self.broken:
            raise self.broken
        return list(self.jobs.values())

    def stop_job(self, job_id: str) -> bool:
        self.jobs[job_id].status = State.STOPPED
        return True

    def get_job_logs(self, job_id: str) -> str:
        return "".join(self.output)

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        for lines in self.output:
            yield lines
        self.jobs[job_id].status = State.SUCCEEDED


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def cluster(client: FakeClient) -> Cluster:
    return Cluster(client)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "my job.yaml"
    path.write_text("name: digits\n")
    return path


def submit(cluster: Cluster, job: Path, name: str = "digits") -> str:
    return cluster.submit(job, name, storage_env="CLUSTER_DB").submission


def test_submitting_sends_the_job_file_alone_and_only_the_name_of_the_variable(
    cluster: Cluster, client: FakeClient, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTER_DB", "postgresql://tuner:s3cret@db/tuner")
    (job.parent / "other.txt").write_text("stays here")
    assert submit(cluster, job) == "digits-1"
    assert client.sent["digits-1"] == {"my job.yaml": "name: digits\n"}
    assert client.jobs["digits-1"].entrypoint == "tuner drive 'my job.yaml' --name digits --storage-env CLUSTER_DB"
    assert "s3cret" not in repr(client.jobs) + repr(client.sent)


def test_a_folder_sent_along_must_hold_the_job_file(
    cluster: Cluster, client: FakeClient, job: Path, tmp_path: Path
) -> None:
    (tmp_path / "networks.py").write_text("")
    cluster.submit(job, "digits", storage_env="CLUSTER_DB", working_dir=tmp_path)
    assert set(client.sent["digits-1"]) == {"my job.yaml", "networks.py"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(ClusterError, match="lies outside the folder sent along"):
        cluster.submit(job, "other", storage_env="CLUSTER_DB", working_dir=elsewhere)


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.production", "prod.env", ".envrc", ".netrc", ".pgpass", ".git-credentials", ".git/config"),
        *("server.pem", "server.key", "id_rsa", "id_ed25519", "deep/in/.env", ".ssh/config", ".aws/credentials"),
        *("credentials.json", "secrets.yaml"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_no_secret_is_packed_with_the_folder_sent_along(
    cluster: Cluster, client: FakeClient, job: Path, name: str, again: bool
) -> None:
    """As Ray packs it: its archive can be read by whoever reads the cluster's store."""
    secret = job.parent / name
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("POSTGRES_PASSWORD=s3cret")
    (job.parent / "identity.py").write_text("")
    attempt = cluster.submit(job, "digits", storage_env="CLUSTER_DB", working_dir=job.parent)
    if again:
        client.jobs[attempt.submission].status = State.FAILED
        attempt = cluster.resume("digits", storage_env="CLUSTER_DB", working_dir=job.parent)
    assert set(client.sent[attempt.submission]) == {"my job.yaml", "identity.py"}


def test_what_is_never_sent_is_not_committed_either() -> None:
    root = Path(__file__).parents[2]
    assert set(SECRETS) - {".git"} <= set((root / ".gitignore").read_text().splitlines())
    ignored = (root / ".dockerignore").read_text().splitlines()
    last_sent = max(index for index, line in enumerate(ignored) if line.startswith("!"))
    assert {f"**/{name}" for name in SECRETS} <= set(ignored[last_sent:]), "a later line wins"


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING])
def test_a_name_that_runs_is_refused(cluster: Cluster, client: FakeClient, job: Path, state: State) -> None:
    client.jobs[submit(cluster, job)].status = state
    with pytest.raises(ClusterError, match=f"attempt 1 is {state.value.lower()}: follow it with"):
        submit(cluster, job)
    with pytest.raises(ClusterError, match="attempt 1 is"):
        cluster.resume("digits", storage_env="CLUSTER_DB")


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.SUCCEEDED])
def test_a_name_that_ended_goes_on_as_a_new_attempt(
    cluster: Cluster, client: FakeClient, job: Path, state: State
) -> None:
    client.jobs[submit(cluster, job)].status = state
    assert submit(cluster, job) == "digits-2"
    client.jobs["digits-2"].status = state
    assert cluster.resume("digits", storage_env="CLUSTER_DB").number == 3
    assert client.jobs["digits-3"].entrypoint == "tuner drive --resume digits --storage-env CLUSTER_DB"
    assert [(a.number, a.state) for a in cluster.attempts("digits")] == [
        (1, state.value.lower()),
        (2, state.value.lower()),
        (3, "running"),
    ]


def test_two_that_submit_at_once_make_one_attempt(cluster: Cluster, client: FakeClient, job: Path) -> None:
    client.jobs["digits-1"] = Details("digits-1", "", metadata=None)  # the other one, not yet listed under its name
    with pytest.raises(ClusterError, match=r"cluster: ValueError: digits-1 exists\.$"):
        submit(cluster, job)


def test_attempts_are_counted_as_numbers_and_other_jobs_are_left_alone(cluster: Cluster, client: FakeClient) -> None:
    for number in range(1, 12):
        metadata = {"tuner-job": "digits", "tuner-attempt": str(number)}
        client.jobs[f"digits-{number}"] = Details(f"digits-{number}", "", metadata, status=State.FAILED)
    client.jobs["raysubmit_1"] = Details("raysubmit_1", "python other.py", {})
    assert cluster.latest("digits").number == 11
    assert len(cluster.attempts()) == 11


@pytest.mark.parametrize("value", ["postgresql://tuner:secret@db/tuner", "A;B", "", "1A"])
def test_a_value_instead_of_a_variables_name_is_refused_and_not_repeated(
    cluster: Cluster, client: FakeClient, job: Path, value: str
) -> None:
    with pytest.raises(ClusterError, match="takes the name of an environment variable") as caught:
        cluster.submit(job, "digits", storage_env=value)
    assert "secret" not in str(caught.value)
    assert not client.jobs


def test_stopping_needs_a_running_attempt(cluster: Cluster, client: FakeClient, job: Path) -> None:
    submit(cluster, job)
    cluster.stop("digits")
    with pytest.raises(ClusterError, match="attempt 1 already stopped: nothing to stop"):
        cluster.stop("digits")


def test_an_unknown_name_lists_the_known_ones(cluster: Cluster, job: Path) -> None:
    submit(cluster, job)
    with pytest.raises(ClusterError, match="'voc': never submitted to this cluster; it knows digits"):
        cluster.resume("voc", storage_env="CLUSTER_DB")


def test_following_hands_on_all_output_and_returns_the_end(cluster: Cluster, client: FakeClient, job: Path) -> None:
    submit(cluster, job)
    client.output = ["one\n", "two\n"]
    written: list[str] = []
    assert cluster.follow("digits", written.append).state == "succeeded"
    assert written == ["one\n", "two\n"]
    assert cluster.logs("digits") == "one\ntwo\n"


def test_a_cluster_that_does_not_answer_is_told_in_one_line(cluster: Cluster, client: FakeClient) -> None:
    client.broken = ConnectionError("Failed to connect to Ray at address: http://head:8265.")
    with pytest.raises(ClusterError, match=r"^cluster: Failed to connect to Ray at address: http://head:8265\.$"):
        cluster.attempts()


def test_connecting_to_nothing_is_told_in_one_line() -> None:
    with pytest.raises(ClusterError, match="cluster: Failed to connect to Ray at address"):
        connect("http://127.0.0.1:9")


@pytest.mark.parametrize("address", ["", "head:8265", "ray://head:10001", "http://"])
def test_an_address_that_is_no_dashboards_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match=r"not a Ray dashboard's; write http://HEAD:8265"):
        connect(address)


def test_an_address_with_a_password_is_refused_without_it() -> None:
    with pytest.raises(ClusterError, match="set RAY_AUTH_TOKEN") as caught:
        connect("http://user:s3cret@head:8265")
    assert "s3cret" not in str(caught.value)
