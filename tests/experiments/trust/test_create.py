"""What a study freezes: images that all get right, pictures drawn alike, balanced orders, and hashes that hold."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from experiments.cli import main
from experiments.errors import SeenError, SettingError, StudyError
from experiments.methods import find_method
from experiments.trust.create import Plan, freeze, overlay
from experiments.trust.sheets import make_sheets
from experiments.trust.study import FILE, STIMULI, Stimulus, Study, Trial, load_study
from tests.experiments.trust.raters import KINDS
from tracer import Alpha, Weights

LOW, HIGH = (f"tests.experiments.trust.networks:{name}" for name in ("low", "high"))
PLAN = Plan(rated=3, practice=1, attention=1, sheets=4)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    """Eight pictures of a white square, of which the second network recognises the five large ones."""
    lines = ["image,x0,y0,x1,y1,label"]
    for place, side in enumerate((56, 20, 57, 58, 22, 59, 24, 60)):
        picture = Image.new("RGB", (64, 64))
        picture.paste((255, 255, 255), (0, 0, side, side))
        picture.save(tmp_path / f"{place}-{side}.png")
        lines.append(f"{place}-{side}.png,0,0,{side},{side},0")
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    return {
        "archs": (LOW, HIGH),
        "checkpoints": (),
        "weights": (),
        "images": tmp_path / "boxes.csv",
        "kind": "csv",
        "limit": None,
        "seed": 0,
        "unseen": False,
        "allow_seen": False,
        "jobs": 1,
        "cache": tmp_path / "records.sqlite",
    }


def make(folder: Path, options: dict[str, Any], plan: Plan = PLAN, methods: str = "centre-prior") -> Study:
    return freeze(folder, plan, [find_method(name) for name in methods.split(",")], options)


def test_only_images_that_all_networks_get_right_are_shown(tmp_path: Path, options: dict[str, Any]) -> None:
    study = make(tmp_path / "study", options)
    assert [condition.name for condition in study.conditions] == [LOW, HIGH]
    assert sorted(int(trial.image.split("-")[1][:2]) for trial in study.trials) == [56, 57, 58, 59, 60]
    assert load_study(tmp_path / "study") == study


def test_the_seed_alone_decides_every_byte(tmp_path: Path, options: dict[str, Any]) -> None:
    studies = [make(tmp_path / f"{seed}-{n}", options | {"seed": seed}) for n, seed in enumerate((0, 0, 1))]
    files = [
        {file.name: file.read_bytes() for file in (tmp_path / name / STIMULI).iterdir()} for name in ("0-0", "0-1")
    ]
    assert files[0] == files[1]
    assert studies[0].sha256 == studies[1].sha256 != studies[2].sha256


def test_methods_of_one_network_are_drawn_alike_and_named_nowhere(tmp_path: Path, options: dict[str, Any]) -> None:
    study = make(tmp_path / "study", options | {"archs": (LOW,)}, methods="centre-prior,random")
    assert [condition.name for condition in study.conditions] == ["centre-prior", "random"]
    for trial in study.trials:
        kinds = set()
        for each in (trial.picture, *trial.maps):
            with Image.open(tmp_path / "study" / STIMULI / each.file) as picture:
                kinds.add((picture.size, picture.format, picture.mode, len(picture.getexif())))
        assert len(kinds) == 1
        assert trial.maps[0] != trial.maps[1]


def test_the_colours_of_a_map_depend_on_its_values_alone() -> None:
    picture = Image.new("RGB", (48, 31), (90, 120, 150))
    heat = np.linspace(0, 1, 56 * 56).reshape(56, 56)
    drawn = np.asarray(overlay(picture, heat)).astype(int)
    assert drawn.shape == (31, 48, 3)
    assert drawn[-1].mean() > drawn[0].mean() + 40
    assert (drawn == np.asarray(overlay(picture, heat))).all()


@pytest.mark.parametrize(
    ("changes", "plan", "complaint"),
    [
        ({}, Plan(4, 1, 1, 4), "only 5 of the images"),
        ({"limit": 2}, PLAN, "of the images"),
        ({"archs": (LOW,)}, PLAN, "two or more"),
        ({"archs": (LOW, LOW)}, PLAN, "named twice"),
        ({"unseen": True, "allow_seen": True}, PLAN, "one of the two"),
        ({"checkpoints": (Path("a.pth"),)}, PLAN, "one for each --arch"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    tmp_path: Path, options: dict[str, Any], changes: dict[str, Any], plan: Plan, complaint: str
) -> None:
    with pytest.raises(SettingError, match=complaint):
        make(tmp_path / "study", options | changes, plan)
    assert not list(tmp_path.glob("*study*"))


@pytest.fixture
def learned(tmp_path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a weight file that was learned on one of the images."""
    file = tmp_path / "weights.yaml"
    Weights(HIGH, Alpha(), provenance={"job": "one", "tuned_on": ["0-56.png"]}).save(file)
    return options | {"weights": (file,)}


def test_images_that_settings_were_learned_on_are_refused_or_left_out(tmp_path: Path, learned: dict[str, Any]) -> None:
    with pytest.raises(SeenError, match="learned on 1 of these"):
        make(tmp_path / "study", learned, Plan(5, 0, 0, 2), "tracer")
    with pytest.raises(SettingError, match="only 4 of the images"):
        make(tmp_path / "study", learned | {"unseen": True}, Plan(5, 0, 0, 2), "tracer")


@pytest.mark.slow
def test_images_that_settings_were_learned_on_are_told_of(tmp_path: Path, learned: dict[str, Any]) -> None:
    study = make(tmp_path / "study", learned | {"allow_seen": True}, Plan(5, 0, 0, 2), "tracer")
    assert [condition.seen for condition in study.conditions] == [0, 1]


def test_a_study_is_never_written_over_and_never_changed(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = tmp_path / "study"
    study = make(folder, options)
    with pytest.raises(StudyError, match="there already"):
        make(folder, options)
    picture = folder / STIMULI / study.trials[0].maps[0].file
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-1] + b"x")
    with pytest.raises(StudyError, match="not the picture that was frozen"):
        load_study(folder)
    picture.unlink()
    with pytest.raises(StudyError, match="no whole study"):
        load_study(folder)
    picture.write_bytes(whole)
    document = json.loads((folder / FILE).read_text())
    document["trials"][0]["picture"]["file"] = "../../secret"
    (folder / FILE).write_text(json.dumps(document))
    with pytest.raises(StudyError, match="file"):
        load_study(folder)


@pytest.mark.parametrize("conditions", [2, 3])
def test_sides_and_orders_are_balanced(conditions: int) -> None:
    picture = Stimulus(file="0" * 16 + ".jpg", sha256="")
    trials = [
        Trial(kind=kind, image="", pixels_sha256=None, object="", picture=picture, maps=(picture,) * conditions)
        for kind in KINDS
    ]
    sheets = make_sheets(trials, conditions, 12, np.random.default_rng(0))
    rated = [place for place, kind in enumerate(KINDS) if kind == "rated"]
    for sheet in sheets:
        assert sheet[0].trial == 0, "practice comes first"
        assert sorted(showing.trial for showing in sheet) == list(range(len(KINDS)))
        assert sheet[4].trial == 7, "attention is asked for in the middle"
        left = Counter(showing.sides[0] for showing in sheet if showing.trial in rated)
        assert set(left.values()) == {6 // conditions}
    for trial in range(len(KINDS)):
        sides = Counter(showing.sides[0] for sheet in sheets for showing in sheet if showing.trial == trial)
        assert set(sides.values()) == {12 // conditions}
    assert len({tuple(showing.trial for showing in sheet) for sheet in sheets}) > 10


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["trust", *map(str, arguments)])


def test_the_commands_make_a_study_and_read_it(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = tmp_path / "study"
    made = run(
        *("create", folder, "--arch", LOW, "--arch", HIGH, "--methods", "centre-prior", "--kind", "csv"),
        *("--images", options["images"], "--cache", options["cache"]),
        *("--trials", 3, "--practice", 1, "--attention", 1),
    )
    assert (made.exit_code, made.stdout) == (0, ""), made.output
    empty = run("report", folder)
    assert empty.exit_code == 0
    assert "No rater has answered" in empty.stdout
    assert "not faithfulness" in empty.stdout
    gone = run("withdraw", folder, "http://127.0.0.1:8300/raters/mistyped")
    assert (gone.exit_code, gone.stdout) == (2, "")
    assert run("report", tmp_path).exit_code == 2
    everywhere = run("serve", folder, "--host", "0.0.0.0")
    assert everywhere.exit_code == 2
    assert "--allow-host" in everywhere.stderr
