"""Jobs without boxes, from the file to the sentence that says what was gained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from storage import queries
from storage.engine import Database
from tracer import load_weights
from tracer.errors import FactoryError, WeightsError
from tuner.datasets import load_dataset
from tuner.digits.canvas import draw
from tuner.errors import SpecError
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.play.prepare import prepare
from tuner.results import tables
from tuner.results.export import export
from tuner.results.rerun import replay as play_again
from tuner.spec.job import JobSpec, load_job
from tuner.workers.pool import SerialPool
from tuner.workers.scoring import Scorer, make_scorer

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits-confidence.yaml"
IMAGES = 12


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True)


def changed(**changes: object) -> JobSpec:
    """The example on fewer images, otherwise than it says."""
    values = load_job(EXAMPLE).canonical()
    dataset = {**values["dataset"], "images": IMAGES}
    policy = {**values["policy"], "budget": 32}
    return JobSpec.model_validate({**values, "dataset": dataset, "policy": policy, **changes})


def save(path: Path, index: int) -> None:
    Image.fromarray(draw("test", 0, index).pixels).save(path)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The example's, on all of its images."""
    spec = changed()
    return make_scorer(spec, load_dataset(spec.dataset))


def run(database: Database, spec: JobSpec, scorer: Scorer) -> None:
    plan = make_plan(spec, load_dataset(spec.dataset))
    create(database, plan)
    play(database, plan, lambda: SerialPool(replace(scorer, dataset=plan.dataset)))


def test_the_example_is_played_checked_replayed_and_exported(
    database: Database, scorer: Scorer, tmp_path: Path
) -> None:
    spec = changed(scoring="all")  # so that a replay finds every score
    run(database, spec, scorer)
    with database.reading() as session:
        assert queries.verify(session, spec.name).problems == ()
        checks = queries.checks(session, spec.name)
        assert checks.images
        assert np.isnan(checks.values).all(axis=0).tolist() == [False, False, True]  # nothing stands for no network
        (row,) = tables.status(session, spec.name).rows
        assert row["check"]["reward"] == "confidence"
        assert row["check"]["confidence"] == 0.5
        sentence = tables.status(session, spec.name).notes[-1]
        assert "as sure of its class, with the top 25% of the map alone, on" in sentence
        assert "; mean confidence 0." in sentence
        arms = tables.arms(session, spec.name).rows
        assert {"mean_confidence"} == {key for key in arms[0] if key.startswith("mean_")}
        assert all(0 <= pull["confidence"] <= 1 for pull in tables.pulls(session, spec.name))
        replayed = play_again(session, spec.name, "race", at=0.4, budget=64)
        assert sum(arm["pulls"] for arm in replayed.rows) > 0
        export(session, tmp_path / "weights.yaml", name=spec.name)
    weights = load_weights(tmp_path / "weights.yaml")
    assert weights.provenance["reward"] == {"kind": "confidence", "at": 0.5, "keep": 0.25}
    assert weights.evidence["joint"]["mean_confidence"] is not None


def test_a_folder_of_images_is_tuned_on_like_the_images_with_boxes(
    database: Database, scorer: Scorer, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(IMAGES):
        save(folder / f"digit-{index:04d}.png", index)
    arms = {"arms": {"spread": [4, 16]}, "policy": {"kind": "ucb1", "budget": 16}}
    dataset = {"kind": "folder", "root": str(folder)}
    spec = changed(name="folder", dataset=dataset, **arms)
    run(database, spec, scorer)
    with database.reading() as session:
        assert queries.verify(session, "folder").problems == ()
        pulls = list(queries.all_pulls(session, "folder"))
    assert pulls
    index = {f"{scorer.dataset[number].id}.png": number for number in range(len(scorer.dataset))}
    (set_,) = spec.arm_sets(spec.settings)
    for pull in pulls:
        settings = set_.settings[set_.candidates.index(pull.candidate)]
        assert scorer.score(index[pull.image], [settings]).tolist() == [pull.value]


def test_what_a_reward_lacks_is_found_before_the_job_is_stored(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        prepare(changed(reward={"kind": "agreement", "weights": str(tmp_path / "none.yaml")}))
    (tmp_path / "mine.py").write_text(
        "def boxed(model):\n    def judge(scene, readings):\n        return [0.5] * len(readings)\n"
        "    judge.needs_boxes = True\n    return judge\n"
    )
    with pytest.raises(FactoryError, match="has no 'bxed'"):
        prepare(changed(reward={"kind": f"{tmp_path}/mine.py:bxed"}))
    save(tmp_path / "image.png", 0)
    with pytest.raises(SpecError, match="judges by boxes, and a folder of images has none"):
        prepare(
            changed(reward={"kind": f"{tmp_path}/mine.py:boxed"}, dataset={"kind": "folder", "root": str(tmp_path)})
        )
