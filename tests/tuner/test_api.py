"""The tuner as a Python user meets it."""

import subprocess
import sys
from pathlib import Path

import pytest

import tuner
from storage import queries
from tests.tuner.fakes import FakeScorer, make_spec
from tracer import load_weights
from tuner.errors import JobError
from tuner.workers.pool import SerialPool

TINY = Path(__file__).parents[1] / "cluster" / "tiny.py"


@pytest.mark.parametrize("name", tuner.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tuner, name).__name__ == name


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        tuner.rum  # noqa: B018


def test_importing_the_tuner_imports_nothing_heavy() -> None:
    script = "import sys, tuner; sys.exit(bool({'torch', 'ray', 'sqlalchemy', 'click'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_job_is_run_stopped_resumed_and_exported(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/tuner.db"
    spec = make_spec(architecture=f"{TINY}:make", dataset={"kind": "digits", "images": 12})
    ticks = iter(range(4))
    stopped = tuner.run(
        spec, storage, make_pool=lambda: SerialPool(FakeScorer()), stop=lambda: next(ticks, None) is None
    )
    assert stopped == "stopped"
    assert tuner.resume("fake", storage, make_pool=lambda: SerialPool(FakeScorer())) != "stopped"
    with pytest.raises(JobError, match="is finished"):
        tuner.resume("fake", storage)
    with tuner.Database.open(storage) as database, database.reading() as session:
        tuner.export(session, tmp_path / "fake.yaml", name="fake")
        winners = {bandit.setting: bandit.winner for bandit in queries.bandits(session, "fake")}
    alpha = load_weights(tmp_path / "fake.yaml").alpha
    assert winners == {"cur": alpha.cur, "suc": alpha.suc, "pre": alpha.pre}
