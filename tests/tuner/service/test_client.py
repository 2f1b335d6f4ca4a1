"""The Python client sees what the server says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from storage import queries
from storage.engine import Database
from tests.tuner.service.serving import serving
from tests.tuner.service.test_steering import JOB, FakeRuns
from tuner.cli import main
from tuner.client import Client
from tuner.errors import ServiceError
from tuner.results import export
from tuner.service.options import DIGITS, Control, Options

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def client(storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    control = Control((tmp_path_factory.mktemp("files"),), frozenset({DIGITS}))
    options = Options(storage, token=TOKEN, root_path="/tuner", control=control)
    with serving(options, FakeRuns()) as url, Client(url, TOKEN) as client:
        yield client


def test_everything_that_reads_is_there(client: Client, storage: str, tmp_path: Path) -> None:
    with Database.open(storage) as database, database.reading() as session:
        arms, pulls = queries.arms(session, "other"), list(queries.all_pulls(session, "other"))
        export.export(session, tmp_path / "weights.yaml", name="other")
    assert [job.name for job in client.jobs()] == ["waiting", "other", "race"]
    assert client.job("race").check is not None
    assert [(arm.id, arm.mean) for arm in client.arms("other")] == [(arm.id, arm.mean) for arm in arms]
    assert len(list(client.pulls("other"))) == len(pulls)
    assert client.race("race", "pre").arms
    images = list(client.images("other"))
    assert images[0].disagreement >= images[-1].disagreement
    assert client.image("other", images[0].rank).image == images[0].image
    assert {event.kind for event in client.events("race")} >= {"run", "end"}
    assert client.compare("race", "other").pairs
    assert client.weights("fake") == client.job_weights("other") == (tmp_path / "weights.yaml").read_bytes()


def test_an_answer_that_did_not_change_is_kept(client: Client) -> None:
    assert client.job("race") == client.job("race")


def test_jobs_are_steered(client: Client) -> None:
    assert client.create("new", JOB).state == "starting"
    with pytest.raises(ServiceError, match="only a pending or running job can be stopped"):
        client.stop("race")


def test_what_is_refused_says_why(client: Client, storage: str) -> None:
    with pytest.raises(ServiceError, match="did you mean 'race'") as refused:
        client.job("rac")
    assert refused.value.status == 404
    with (
        serving(Options(storage, token=TOKEN)) as url,
        Client(url, "wrong") as stranger,
        pytest.raises(ServiceError, match="bring the server's token"),
    ):
        stranger.job("race")
    with Client(url, TOKEN) as late, pytest.raises(ServiceError, match="no answer"):
        late.job("race")


def test_top_shows_the_same_jobs_in_a_terminal(storage: str) -> None:
    result = CliRunner().invoke(main, ["top", "--once", "--storage", storage])
    assert result.exit_code == 0, result.output
    for text in ("race", "other", "waiting", "finished", "pending", "points"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "set TUNER_TOKEN"),
        (["--control"], "--control needs --root"),
        (["--address", "http://head:8265"], "go with --control"),
        (["--root-path", "tuner/"], "write a path such as /tuner"),
    ],
)
def test_a_server_that_may_not_start_says_why(storage: str, arguments: list[str], said: str) -> None:
    result = CliRunner(env={"TUNER_TOKEN": ""}).invoke(main, ["serve", "--storage", storage, *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
