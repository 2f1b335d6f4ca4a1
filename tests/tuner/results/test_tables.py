"""Every query on a finished job, in every form, with the fields that are documented."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import text

from storage import queries
from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tracer import Settings, load_weights
from tuner.cli import main
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.results import rerun, tables
from tuner.rewards.iou import trivial
from tuner.workers.pool import SerialPool

QUERIES = {
    "list": ["list"],
    "status": ["status", "fake"],
    "arms": ["arms", "fake"],
    "pulls": ["pulls", "fake"],
    "compare": ["compare", "fake", "other"],
    "replay": ["replay", "fake", "--policy", "uniform"],
    "logs": ["logs", "fake"],
    "verify": ["verify", "fake"],
}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with two finished jobs, one that was never run, and a joint search."""
    url = f"sqlite:///{tmp_path_factory.mktemp('questions')}/tuner.db"
    joint = {"kind": "optuna-tpe", "budget": 120, "trial_images": 10, "batch": 4}
    with Database.open(url, create=True) as database:
        plan = make_plan(make_spec(name="joint", policy=joint, search="joint"), make_dataset(50))
        create(database, plan)
        play(database, plan, lambda: SerialPool(FakeScorer()))
        for name, seed in (("fake", 0), ("other", 1)):
            plan = make_plan(make_spec(name=name, seed=seed), make_dataset(50))
            create(database, plan)
            play(database, plan, lambda: SerialPool(FakeScorer((3, 17, 39))))
        create(database, make_plan(make_spec(name="waiting"), make_dataset(50)))
    return url


def ask(storage: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--storage", storage])


def answer(storage: str, query: str, form: str = "json") -> Any:
    result = ask(storage, *QUERIES[query], "-f", form)
    assert result.exit_code == 0, result.output
    if form == "json":
        return json.loads(result.stdout)
    return yaml.safe_load(result.stdout) if form == "yaml" else list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.mark.parametrize("query", QUERIES)
def test_every_form_gives_the_same_rows(storage: str, query: str) -> None:
    rows = answer(storage, query)
    assert rows
    assert answer(storage, query, "yaml") == rows
    assert [list(row) for row in answer(storage, query, "csv")] == [list(row) for row in rows]
    table = ask(storage, *QUERIES[query])
    said = {"winner_mean", "ending", "claim", "check", "confidence"} if query == "status" else set()
    assert all(field in table.stdout for field in rows[0].keys() - said)


@pytest.mark.parametrize("query", QUERIES)
def test_fields_are_those_that_are_documented(storage: str, query: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    section = next(part for part in text.split("\n### ") if part.startswith(f"`tuner {query}"))
    documented = set(re.findall(r"`(\w+)`", section.split("\n## ")[0]))
    missing = set(answer(storage, query)[0]) - documented
    assert missing <= ({"round", "setting", "candidate"} if query == "replay" else set())


def test_of_equal_arms_the_winner_leads(tmp_path: Path) -> None:
    class Equal(FakeScorer):
        def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
            return np.ones(len(settings))

    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as database:
        plan = make_plan(make_spec(arms={"cur": [0.5, 1.0, 1.5]}, policy={"kind": "uniform"}), make_dataset(10))
        create(database, plan)
        play(database, plan, lambda: SerialPool(Equal()))
        with database.reading() as session:
            (row,) = tables.status(session, plan.spec.name).rows
    assert (row["leading"], row["winner"]) == (1.0, 1.0)


def test_every_table_of_suc_says_how_it_is_read(storage: str) -> None:
    for query in ("status", "arms", "compare", "replay"):
        assert "suc weighs the succeeding layer's support above its default" in ask(storage, *QUERIES[query]).stdout


def test_arms_add_up_to_the_pulls_and_lie_in_their_intervals(storage: str) -> None:
    arms = answer(storage, "arms")
    assert sum(arm["pulls"] for arm in arms) == len(answer(storage, "pulls")) == 180
    for arm in arms:
        assert arm["low"] <= arm["mean"] <= arm["high"]
    assert "the box around the whole image" in ask(storage, "arms", "fake").stdout


def test_the_baseline_of_an_arm_is_the_whole_images_success_on_the_images_it_was_pulled_on(storage: str) -> None:
    dataset, pulls = make_dataset(50), answer(storage, "pulls")
    assert any(row["quarantined"] for row in answer(storage, "list"))
    for arm in answer(storage, "arms"):
        images = [row["image"] for row in pulls if all(row[key] == arm[key] for key in ("setting", "candidate"))]
        hits = [trivial(dataset[int(image.removeprefix("image"))]) >= 0.5 for image in images]
        assert arm["baseline"] == pytest.approx(sum(hits) / len(hits))
    waiting = json.loads(ask(storage, "arms", "waiting", "-f", "json").stdout)
    assert {arm["baseline"] for arm in waiting} == {None}


def test_arms_of_one_setting(storage: str) -> None:
    result = ask(storage, "arms", "fake", "--setting", "pre", "-f", "json")
    assert [(arm["setting"], arm["candidate"]) for arm in json.loads(result.stdout)] == [
        ("pre", v) for v in (0.0, 0.5, 1.0)
    ]


def test_replaying_the_jobs_own_policy_gives_its_own_arms(storage: str) -> None:
    replayed = json.loads(ask(storage, "replay", "fake", "--policy", "ucb1", "-f", "json").stdout)
    keys = ("setting", "candidate", "pulls", "successes")
    assert [[row[key] for key in keys] for row in replayed] == [
        [arm[key] for key in keys] for arm in answer(storage, "arms")
    ]


def test_replaying_at_a_lower_threshold_succeeds_more_often(storage: str) -> None:
    def successes(iou: str) -> int:
        result = ask(storage, "replay", "fake", "--policy", "uniform", "--iou", iou, "-f", "json")
        return sum(row["successes"] for row in json.loads(result.stdout))

    assert successes("0.3") > successes("0.5") > successes("0.7")


def test_a_replay_plays_on_no_image_that_was_left_out_after_it_was_scored(tmp_path: Path) -> None:
    """As one that fails in a later round; its scores of the rounds before are still there."""
    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as database:
        plan = make_plan(make_spec(arms={"pre": [0.0, 0.5, 1.0]}), make_dataset(50))
        create(database, plan)
        play(database, plan, lambda: SerialPool(FakeScorer()))
        with database.reading() as session:
            scored = int((~np.isnan(queries.scores(session, "fake").values)).all(axis=1).sum())
            notes = rerun.replay(session, "fake", "uniform", budget=1000).notes
        assert 2 < scored < 40
        with database.writing() as session:
            session.execute(text("UPDATE image SET quarantined = 1 WHERE rank IN (1, 3)"))
        with database.reading() as session:
            table = rerun.replay(session, "fake", "uniform", budget=1000)
    assert {row["pulls"] for row in table.rows} == {scored - 2}
    assert table.notes == notes
    assert f"{40 - scored} images without every score were left out" in notes


def test_quarantined_images_are_in_the_log(storage: str) -> None:
    assert "quarantine" in {row["kind"] for row in answer(storage, "logs")}


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_job_is_drawn(storage: str, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"job.{form}"
    result = ask(storage, "plot", "fake", "-o", str(file))
    assert result.stdout.strip() == str(file)
    if form == "png":
        with Image.open(file) as picture:
            assert picture.width > 1000
    assert file.stat().st_size > 10_000


def test_the_weight_file_says_what_was_learned_and_is_the_same_bytes_each_time(storage: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    assert ask(storage, "export", "fake", "-o", str(first)).exit_code == 0
    assert ask(storage, "export", "fake", "-o", str(second)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    weights = load_weights(first)
    winners = {row["setting"]: row["winner"] for row in answer(storage, "status")}
    assert {setting: getattr(weights.alpha, setting) for setting in winners} == winners
    assert weights.provenance["job"] == "fake"
    assert len(set(weights.provenance["tuned_on"])) == weights.provenance["images"]
    assert weights.evidence["cur"]["may_be_best"]


def test_the_newest_job_of_an_architecture_is_exported(storage: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.yaml"
    assert ask(storage, "export", "--arch", "fake", "-o", str(file)).exit_code == 0
    assert load_weights(file).provenance["job"] == "other"


def test_an_export_by_architecture_names_its_job_and_the_others(storage: str, tmp_path: Path) -> None:
    file = tmp_path / "weights.yaml"
    told = ask(storage, "export", "--arch", "fake", "-o", str(file))
    assert told.stdout == f"{file}\n"
    assert told.stderr.startswith("weights of job other, the newest finished one; there are also fake, joint:")
    assert ask(storage, "export", "fake", "-o", str(file)).stderr == ""


def test_a_job_in_which_nothing_succeeded_says_so_everywhere(tmp_path: Path) -> None:
    class Nothing(FakeScorer):
        def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
            return np.zeros(len(settings))

    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        plan = make_plan(make_spec(arms={"cur": [0.5, 1.0]}, policy={"kind": "uniform"}, check=0.2), make_dataset(10))
        create(database, plan)
        play(database, plan, lambda: SerialPool(Nothing()))
    said = "none of the 16 pulls succeeded, so nothing was learned"
    assert said in ask(url, "status", "fake").stdout
    assert "all 2 arms succeed on none of the 8 images tuned on" in ask(url, "status", "fake").stdout
    assert said in ask(url, "arms", "fake").stdout
    assert said in ask(url, "export", "fake", "-o", str(tmp_path / "weights.yaml")).stderr
    assert ask(url, "report", "fake", "-o", str(tmp_path / "report.html"), "--pictures", "0").exit_code == 0
    assert "Nothing succeeded." in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["arms", "fak"], "no job 'fak'; did you mean 'fake'"),
        (["plot", "waiting", "-o", "x.png"], "no pulls to draw yet"),
        (["plot", "fake", "-o", "nowhere/x.png"], "nowhere/x.png"),
        (["plot", "fake", "-o", "x.xyz"], "x.xyz"),
        (["export", "waiting", "-o", "x.yaml"], "learned nothing final yet"),
        (["export", "--arch", "resnet18", "-o", "x.yaml"], "there are jobs of fake"),
        (["replay", "fake", "--policy", "ucb"], "policy 'ucb' is unknown (nearest: ucb1"),
        (["arms", "fake", "--setting", "cure"], "no bandit of 'cure' (nearest: cur, pre); it has cur, suc, pre"),
        (["pulls", "fake", "--setting", "cure"], "no bandit of 'cure' (nearest: cur, pre)"),
        (["arms", "fake", "--round", "3"], "no round 3; its last one is 1"),
        (["export", "--arch", "fakes", "-o", "x.yaml"], "(nearest: fake)"),
        (["replay", "fake", "--policy", "ucb1", "--budget", "2"], "does not reach"),
        (["resume", "fake"], "is finished"),
        (["stop", "fake"], "finished"),
    ],
)
def test_what_goes_wrong_is_one_line(
    storage: str, arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ask(storage, *arguments)
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_a_database_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    result = ask(f"sqlite:///{tmp_path}/none.db", "list")
    assert result.exit_code == 1
    assert "no jobs here yet" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_database_of_another_kind_is_bad_input() -> None:
    result = ask("mysql://user:secret@host/name", "list")
    assert result.exit_code == 2
    assert "not supported" in result.stderr
    assert "secret" not in result.output


def test_the_environment_names_the_database_and_the_option_wins(storage: str, tmp_path: Path) -> None:
    runner = CliRunner(env={"TUNER_STORAGE": f"sqlite:///{tmp_path}/none.db"})
    assert runner.invoke(main, ["list"]).exit_code == 1
    assert runner.invoke(main, ["list", "--storage", storage]).exit_code == 0


def test_the_schema_is_made_and_shown(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    assert "none" in ask(url, "db", "current").stdout
    revision = ask(url, "db", "upgrade").stdout.strip()
    assert revision in ask(url, "db", "current").stdout


JOINT = {
    "status": ["status", "joint"],
    "arms": ["arms", "joint", "--setting", "joint"],
    "pulls": ["pulls", "joint"],
    "compare": ["compare", "joint", "joint"],
    "verify": ["verify", "joint"],
}


@pytest.mark.parametrize("query", JOINT)
def test_a_joint_search_answers_with_the_same_fields_in_every_form(storage: str, query: str) -> None:
    found = json.loads(ask(storage, *JOINT[query], "-f", "json").stdout)
    assert list(found[0]) == list(answer(storage, query)[0])
    assert yaml.safe_load(ask(storage, *JOINT[query], "-f", "yaml").stdout) == found
    cells = list(csv.DictReader(io.StringIO(ask(storage, *JOINT[query], "-f", "csv").stdout)))
    assert len(cells) == len(found)
    assert ask(storage, *JOINT[query]).exit_code == 0
    for row, cell in zip(found, cells, strict=True):
        if "candidate" in row:
            assert cell["candidate"] == " ".join(f"{name}={value}" for name, value in row["candidate"].items())
            assert list(row["candidate"]) == ["cur", "suc", "pre"]


def test_of_a_joint_search_the_combinations_that_were_tried_are_shown(storage: str) -> None:
    arms = json.loads(ask(storage, "arms", "joint", "-f", "json").stdout)
    (bandit,) = json.loads(ask(storage, "status", "joint", "-f", "json").stdout)
    assert len(arms) == 12
    assert {arm["pulls"] for arm in arms} == {10}
    assert (bandit["setting"], bandit["pulls"], bandit["outcome"]) == ("joint", 120, "exhausted")
    assert bandit["winner"] in bandit["may_be_best"]
    assert bandit["may_be_best"] == [arm["candidate"] for arm in arms if arm["may_be_best"]]


def test_a_joint_search_is_drawn_and_exported(storage: str, tmp_path: Path) -> None:
    assert ask(storage, "plot", "joint", "-o", str(tmp_path / "joint.png")).exit_code == 0
    assert ask(storage, "export", "joint", "-o", str(tmp_path / "joint.yaml")).exit_code == 0
    weights = load_weights(tmp_path / "joint.yaml")
    (bandit,) = json.loads(ask(storage, "status", "joint", "-f", "json").stdout)
    assert asdict(weights.alpha) == bandit["winner"]
    assert weights.evidence["joint"]["pulls"] == 10
    assert weights.evidence["joint"]["may_be_best"] == bandit["may_be_best"]


def test_a_search_that_tried_some_combinations_only_cannot_be_replayed(storage: str) -> None:
    result = ask(storage, "replay", "joint", "--policy", "race")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "no image with the scores of all arms of joint" in result.stderr


def test_jobs_without_an_arm_in_common_are_said_to_have_none(storage: str) -> None:
    assert "no arm in common" in ask(storage, "compare", "fake", "joint").stdout
    assert json.loads(ask(storage, "compare", "fake", "joint", "-f", "json").stdout) == []


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a job of settings of any kind, and a joint search that tried every combination."""
    url = f"sqlite:///{tmp_path_factory.mktemp('settings')}/tuner.db"
    arms = {"location": ["peak", "center"], "input": [None, 320], "convolution": [1, 4, "positive"], "pre": [0.0, 0.5]}
    with Database.open(url, create=True) as database:
        for search in ("each", "joint"):
            policy = {"kind": "race", "budget": 24 * 40}
            plan = make_plan(make_spec(name=search, arms=arms, search=search, policy=policy), make_dataset(50))
            create(database, plan)
            play(database, plan, lambda: SerialPool(FakeScorer()))
    return url


@pytest.mark.parametrize("name", ["each", "joint"])
def test_settings_of_any_kind_are_shown_drawn_mirrored_exported_and_replayed(
    settings: str, tmp_path: Path, name: str
) -> None:
    for query in (["arms", name], ["status", name], ["pulls", name]):
        rows = json.loads(ask(settings, *query, "-f", "json").stdout)
        assert yaml.safe_load(ask(settings, *query, "-f", "yaml").stdout) == rows
        assert ask(settings, *query).exit_code == 0
    assert ask(settings, "plot", name, "-o", str(tmp_path / "job.png")).exit_code == 0
    assert ask(settings, "mirror", name, "--to", f"sqlite:///{tmp_path}/optuna.db").exit_code == 0
    assert ask(settings, "export", name, "-o", str(tmp_path / "job.yaml")).exit_code == 0
    learned = load_weights(tmp_path / "job.yaml")
    winners: dict[str, Any] = {}
    for row in json.loads(ask(settings, "status", name, "-f", "json").stdout):
        winners |= row["winner"] if name == "joint" else {row["setting"]: row["winner"]}
    assert winners["input"] is None, "ties go to the base, here the network's own size"
    assert (learned.alpha.pre, learned.tracer.location, learned.tracer.convolution, learned.tracer.input) == (
        winners["pre"], winners["location"], winners["convolution"], winners["input"]
    )  # fmt: skip
    assert "null" in ask(settings, "status", name).stdout
    assert "null" in ask(settings, "arms", name, "-f", "csv").stdout
    assert set(learned.evidence) == ({"joint"} if name == "joint" else set(winners))
    keys = ("setting", "candidate", "pulls", "successes")
    replayed, arms = (
        json.loads(ask(settings, *command, "-f", "json").stdout)
        for command in (["replay", name, "--policy", "race"], ["arms", name])
    )
    assert [[row[key] for key in keys] for row in replayed] == [[arm[key] for key in keys] for arm in arms]


def test_winner_and_base_are_marked_and_what_the_marks_mean_is_said(storage: str) -> None:
    rows = json.loads(ask(storage, "arms", "fake", "-f", "json").stdout)
    winners = {row["setting"]: row["candidate"] for row in rows if "winner" in row["mark"]}
    status = answer(storage, "status")
    assert winners == {row["setting"]: row["winner"] for row in status}
    assert {row["candidate"] for row in rows if "base" in row["mark"]} == {1.0}
    for bandit in status:
        out = [row for row in rows if row["setting"] == bandit["setting"] and "ruled out" in row["mark"]]
        assert bandit["out"] == len(out)
    for query in ("arms", "status"):
        assert "may be best: no other arm was shown to be better" in ask(storage, query, "fake").stdout


def test_only_jobs_that_tune_suc_say_how_it_is_read(storage: str, settings: str) -> None:
    said = "succeeding layer's support"
    assert said in ask(storage, "replay", "fake", "--policy", "uniform").stdout
    told = ask(settings, "replay", "each", "--policy", "uniform").stdout
    assert said not in told
    assert "no image was scored anew" in told
    assert said not in ask(settings, "compare", "each", "each").stdout


def test_jobs_that_come_to_the_same_are_said_not_to_differ(storage: str) -> None:
    assert "the jobs do not differ: each of the 9 arms" in ask(storage, "compare", "fake", "fake").stdout
    assert "do not differ" not in ask(storage, "compare", "fake", "other").stdout
