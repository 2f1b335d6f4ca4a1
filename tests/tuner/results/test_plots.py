"""What a picture of a job shows of each bandit."""

import re
from pathlib import Path

import matplotlib as mpl

from storage.engine import Database
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.results.plots import SHOWN, draw
from tuner.workers.pool import SerialPool


def drawn(tmp_path: Path, **changes: object) -> list[str]:
    """The words of the picture of a finished job."""
    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as database:
        plan = make_plan(make_spec(**changes), make_dataset(40))
        create(database, plan)
        play(database, plan, lambda: SerialPool(FakeScorer()))
        with database.reading() as session, mpl.rc_context({"svg.fonttype": "none"}):
            draw(session, "fake", tmp_path / "job.svg")
    return re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "job.svg").read_text())


def test_winner_base_and_what_is_out_are_told_and_few_arms_are_named(tmp_path: Path) -> None:
    values = [round(0.1 * step, 1) for step in range(1, 13)]
    words = drawn(tmp_path, arms={"cur": [*values, 1.5]}, policy={"kind": "race", "budget": 520})
    assert any("won" in word and "of 13 arms are out" in word for word in words)
    assert {"winner", "base", "0.1"} <= {*words}
    assert "0.3" not in words, "thirteen names are not read"


def test_of_many_arms_the_promising_are_drawn_and_the_base(tmp_path: Path) -> None:
    values = [round(0.1 * step, 1) for step in range(1, 31)]
    words = drawn(tmp_path, arms={"cur": values}, policy={"kind": "race", "budget": 1200})
    assert any(f"of 30 arms are out, {SHOWN} are shown" in word for word in words)
    assert "1" in words, "the base is named"
    assert "how many of the 30 arms were still pulled" in words
