"""A job as an Optuna study in a database of its own."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner, Result
from optuna.storages import RDBStorage

from storage import queries
from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.cli import main
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.results.mirror import MARK
from tuner.workers.pool import SerialPool

JOINT = {"kind": "optuna-tpe", "budget": 120, "trial_images": 10, "batch": 4}


@pytest.fixture
def storage(tmp_path: Path) -> str:
    """A database with a job that tunes each setting, a joint one, one in the middle, and one that was never run."""
    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        for name, changes in {
            "each": {"rounds": 2},
            "joint": {"policy": JOINT, "search": "joint"},
            "middle": {},
            "waiting": {},
        }.items():
            plan = make_plan(make_spec(name=name, **changes), make_dataset(50))
            create(database, plan)
            if name in ("each", "joint"):
                play(database, plan, serial)
            elif name == "middle":
                play(database, plan, serial, stop=ticks(10))
    return url


def ticks(number: int) -> Callable[[], bool]:
    """Stops a job after so many ticks."""
    left = iter(range(number))
    return lambda: next(left, None) is None


def serial() -> SerialPool:
    return SerialPool(FakeScorer())


def mirror(storage: str, name: str, to: str) -> Result:
    return CliRunner().invoke(main, ["mirror", name, "--to", to, "--storage", storage])


def studies(url: str) -> dict[str, Any]:
    """Each study's attributes, and its trials without times."""
    storage = RDBStorage(url)
    try:
        return {
            name: (
                (study := optuna.load_study(study_name=name, storage=storage)).user_attrs,
                [(t.number, t.state.name, t.value, t.params, t.user_attrs) for t in study.trials],
            )
            for name in optuna.get_all_study_names(storage)
        }
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.parametrize("name", ["each", "joint"])
def test_a_trial_is_an_arm_with_its_settings_and_its_mean(storage: str, tmp_path: Path, name: str) -> None:
    to = f"sqlite:///{tmp_path}/optuna.db"
    result = mirror(storage, name, to)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == to
    attributes, trials = studies(to)[name]
    with Database.open(storage) as database, database.reading() as session:
        arms = [arm for arm in queries.arms(session, name) if arm.pulls]
        bandits = {bandit.id: bandit for bandit in queries.bandits(session, name)}
    assert len(trials) == len(arms) == (18 if name == "each" else 12)
    for arm, (_, state, value, params, attrs) in zip(arms, trials, strict=True):
        tried = arm.candidate if isinstance(arm.candidate, dict) else {arm.setting: arm.candidate}
        traced = {**bandits[arm.bandit_id].base, **tried}
        assert state == "COMPLETE"
        assert (value, params) == (arm.mean, {setting: traced[setting] for setting in ("cur", "suc", "pre")})
        assert (attrs["pulls"], attrs["successes"]) == (arm.pulls, arm.successes)
        assert attrs["low"] <= value <= attrs["high"]
        assert attrs["winner"] == (arm.candidate == bandits[arm.bandit_id].winner)
    assert attributes["architecture"] == "fake"
    assert attributes["state"] == "finished"


def test_mirroring_again_changes_nothing_and_replaces_what_changed(storage: str, tmp_path: Path) -> None:
    to = f"sqlite:///{tmp_path}/optuna.db"
    for name in ("joint", "middle", "middle"):
        assert mirror(storage, name, to).exit_code == 0
    before = studies(to)
    changes = sqlite3.connect(tmp_path / "optuna.db")
    version = changes.execute("PRAGMA data_version").fetchone()
    assert mirror(storage, "joint", to).exit_code == 0
    assert changes.execute("PRAGMA data_version").fetchone() == version, "nothing was written"
    changes.close()
    with Database.open(storage) as database:
        play(database, make_plan(make_spec(name="middle"), make_dataset(50)), serial)
    assert mirror(storage, "middle", to).exit_code == 0
    after = studies(to)
    assert after["joint"] == before["joint"]
    assert after["middle"] != before["middle"]
    assert after["middle"][0]["state"] == "finished"
    assert len(after["middle"][1]) == 9


def test_a_study_that_was_cut_off_is_made_whole(storage: str, tmp_path: Path) -> None:
    to = f"sqlite:///{tmp_path}/optuna.db"
    assert mirror(storage, "joint", to).exit_code == 0
    whole = studies(to)
    cut = RDBStorage(to)
    optuna.delete_study(study_name="joint", storage=cut)
    optuna.create_study(study_name="joint", storage=cut, direction="maximize").set_user_attr(*next(iter(MARK.items())))
    cut.remove_session()
    cut.engine.dispose()
    assert mirror(storage, "joint", to).exit_code == 0
    assert studies(to) == whole


@pytest.mark.parametrize("mirrored_before", [False, True])
def test_a_users_own_study_and_trials_are_left_alone(storage: str, tmp_path: Path, mirrored_before: bool) -> None:
    to = f"sqlite:///{tmp_path}/optuna.db"
    if mirrored_before:
        assert mirror(storage, "middle", to).exit_code == 0
    own = optuna.create_study(storage=to, study_name="middle", direction="maximize", load_if_exists=True)
    own.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    before = studies(to)
    result = mirror(storage, "middle", to)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert "holds a study 'middle' with trials or settings that `tuner mirror` did not write" in result.stderr
    assert studies(to) == before


@pytest.mark.parametrize(
    ("name", "to", "complaint", "status"),
    [
        ("joint", "{folder}/tuner.db", "holds tuning jobs; name a database of the study's own", 2),
        ("joint", "{folder}/../{name}/tuner.db", "holds tuning jobs", 2),
        ("waiting", "{folder}/optuna.db", "has no pulls to mirror yet", 2),
        ("join", "{folder}/optuna.db", "no job 'join'; did you mean 'joint'", 2),
        ("joint", "{folder}/none/optuna.db", "check that its folder exists", 1),
        ("joint", "{folder}/text.db", "not a database", 1),
    ],
)
def test_what_goes_wrong_is_one_line(
    storage: str, tmp_path: Path, name: str, to: str, complaint: str, status: int
) -> None:
    (tmp_path / "text.db").write_text("not a database, but text that is long enough to be taken for one" * 20)
    target = to.format(folder=tmp_path, name=tmp_path.name)
    result = mirror(storage, name, f"sqlite:///{target}")
    assert (result.exit_code, len(result.stderr.splitlines())) == (status, 1), result.output
    assert complaint in result.stderr
    assert not (tmp_path / "optuna.db").exists()


def test_a_database_of_another_version_of_optuna_is_refused(storage: str, tmp_path: Path) -> None:
    to = f"sqlite:///{tmp_path}/optuna.db"
    assert mirror(storage, "joint", to).exit_code == 0
    with sqlite3.connect(tmp_path / "optuna.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v1.3.0.a'")
    connection.close()
    result = mirror(storage, "joint", to)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert "another version of Optuna" in result.stderr
