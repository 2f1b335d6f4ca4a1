"""Every command that the documents show runs: here, on a job and images of its own, or in the test that is named."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torchvision import models

from storage.engine import Database
from tests.test_docs import ROOT, shown_commands
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.pool import SerialPool

NAMES = {
    "NAME": "resnet18-imagenet",
    "JOB": "resnet18-imagenet",
    "FIRST": "resnet18-imagenet",
    "SECOND": "digits",
    "FILE": "plot.svg",
    "FILE.html": "report.html",
    "S": "cur",
    "P": "ucb1",
    "N": "1",
    "T": "0.4",
    "URL": "sqlite:///studies.db",
    "SECONDS": "1",
    "SEED": "1",
    "PULLS": "9",
    "1-200": "1-2",
    "201-400": "3-4",
}
"""What stands in a shown command for something of the user's, and what it is here."""

ELSEWHERE = {
    r"tuner (run|resume|stop)\b": "tests/tuner/cli/test_running.py",
    r"tuner (submit|attempts)\b": "tests/cluster/test_jobs.py",
    r"tuner logs .*--follow": "tests/cluster/test_jobs.py",
    r"tuner serve\b": "tests/tuner/service/test_client.py",
    r"tuner demo\b": "tests/tuner/test_examples.py",
    r"tracer explain --": "tests/tracer/test_cli.py",
    r"tracer .*timm:": "tests/tracer/test_timm.py",
    r"experiments trust\b": "tests/experiments/trust",
    r"experiments report\b": "tests/experiments/test_report.py",
    r"experiments (policies|rewards|speed|deepfool|confidence|misclassified|cnn-fixations)\b": "tests/experiments",
}
"""Commands that wait, need a cluster or take minutes, and where they are run."""

SLOW = ("experiments",)


def is_elsewhere(call: str) -> bool:
    return any(re.match(pattern, call) for pattern in ELSEWHERE)


def is_whole(call: str) -> bool:
    """Whether it may be typed so: a command's name alone is only mentioned, unless it needs nothing more."""
    return len(call.split()) > 2 or call in ("tuner list", "tracer architectures", "experiments methods")


HERE = [call for call in shown_commands() if is_whole(call) and not is_elsewhere(call)]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photograph, a network's parameters, four images of ImageNet's form and two jobs that ended."""
    folder = tmp_path_factory.mktemp("shown")
    torch.manual_seed(0)
    torch.save(models.resnet18(weights=None).state_dict(), folder / "resnet18.pth")
    torch.save(models.resnet18(weights=None, num_classes=7).state_dict(), folder / "seven_classes.pth")
    Image.effect_noise((120, 90), 60).convert("RGB").save(folder / "photo.jpg")
    images = folder / "imagenet" / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    images.mkdir(parents=True)
    lines = ["ImageId,PredictionString"]
    for number in range(1, 5):
        name = f"ILSVRC2012_val_{number:08}"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (90, 120, 3), np.uint8)).save(
            images / f"{name}.JPEG"
        )
        lines.append(f"{name},n01440764 10 10 80 70")
    (folder / "imagenet" / "LOC_val_solution.csv").write_text("\n".join(lines) + "\n")
    names = (f"n{number:08} class {number}" for number in range(1, 1000))
    (folder / "imagenet" / "LOC_synset_mapping.txt").write_text("\n".join(["n01440764 tench", *names]) + "\n")
    (folder / "runs").mkdir()
    with Database.open(f"sqlite:///{folder}/runs/tuner.db", create=True) as database:
        for name in ("resnet18-imagenet", "digits"):
            spec = make_spec(name=name, architecture="resnet18", check=0.33, policy={"kind": "race", "budget": 120})
            plan = make_plan(spec, make_dataset(40))
            create(database, plan)
            play(database, plan, lambda: SerialPool(FakeScorer()))
    return folder


@pytest.fixture
def inside(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    monkeypatch.delenv("TUNER_STORAGE", raising=False)
    monkeypatch.setenv("TRACER_CACHE", str(workplace / "cache"))
    return workplace


def run(call: str) -> None:
    program, *words = shlex.split(call)
    words = [NAMES.get(word, word) for word in words]
    result = CliRunner().invoke(import_module(f"{program}.cli").main, words)
    assert result.exit_code == 0, f"{call}: {result.output}"


@pytest.mark.parametrize(
    "call", [pytest.param(call, marks=pytest.mark.slow if call.startswith(SLOW) else []) for call in HERE]
)
def test_a_shown_command_runs(call: str, inside: Path) -> None:
    if "resnet18.yaml" in call and not Path("resnet18.yaml").exists():
        run("tuner export resnet18-imagenet -o resnet18.yaml")
    if call.startswith("tracer export") and not Path("explained").exists():
        run("tracer explain photo.jpg --arch resnet18 --checkpoint resnet18.pth -o explained")
    if call == "tracer explain photo.jpg --arch resnet18":
        call += " --checkpoint resnet18.pth"  # else torchvision's own parameters are downloaded
    run(call)


def test_commands_that_run_elsewhere_are_shown_and_their_tests_are_there() -> None:
    for pattern, test in ELSEWHERE.items():
        assert any(re.match(pattern, call) for call in shown_commands()), pattern
        assert (ROOT / test).exists(), test
