"""What a job's scores come from is told apart: the code that a job names, and what that code holds."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tracer import Model
from tuner.errors import ChangedError
from tuner.play.prepare import prepare
from tuner.rewards import make_judge
from tuner.spec.job import JobSpec
from tuner.workers.hashing import identify
from tuner.workers.identity import Identity
from tuner.workers.scoring import make_reader, make_scorer

CODE = """
import functools
import numpy as np
import torch

PARTS = torch.load({tensors!r})
KEPT = PARTS["value"]

class Held:
    def __init__(self, kept): self.kept = {{"deep": [kept]}}
    def __call__(self, batch, targets): return batch.mean(1).abs()

class Slotted:
    __slots__ = ("__kept", "never_set")
    def __init__(self, kept): self.__kept = kept
    def __call__(self, batch, targets): return self.__kept * batch.mean(1).abs()

class Global:
    def __call__(self, batch, targets): return KEPT * batch.mean(1).abs()

def plain(kept, batch, targets): return batch.mean(1).abs()

def attribute(model): return Held(KEPT)
def slot(model): return Slotted(KEPT)
def closure(model):
    kept = KEPT.clone()
    return lambda batch, targets: kept * batch.mean(1).abs()
def array(model): return functools.partial(plain, KEPT.numpy())
def function_global(model): return used
def used(batch, targets): return KEPT * batch.mean(1).abs()
def method_global(model): return Global()
def network(model):
    inner = torch.nn.Conv2d(3, 1, 1, bias=False)
    torch.nn.init.constant_(inner.weight, float(KEPT))
    return lambda batch, targets: inner(batch).abs()[:, 0]

def judge(model, factor=1.0):
    kept = KEPT
    return lambda scene, readings: np.full(len(readings), float(kept))
"""

JOB = {"name": "mine", "architecture": "resnet18", "dataset": {"kind": "digits"}}


@pytest.fixture
def model() -> Model:
    return Model.of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file of factories, which load a tensor of their own."""
    torch.save({"value": torch.tensor(1.0)}, tmp_path / "kept.pt")
    path = tmp_path / "mine.py"
    path.write_text(CODE.format(tensors=str(tmp_path / "kept.pt")))
    return path


def identity(model: Model, **job: Any) -> Identity:
    spec = JobSpec.model_validate({**JOB, **job})
    return identify(spec, model, make_reader(spec, model), make_judge(spec.reward, model))


WAYS = ("attribute", "slot", "closure", "array", "function_global", "method_global", "network")


@pytest.mark.parametrize("way", WAYS)
def test_what_an_explainer_holds_is_told_apart(model: Model, code: Path, way: str) -> None:
    job = {"explainer": f"{code}:{way}", "arms": {"spread": [0, 8]}}
    before = identity(model, **job)
    assert before == identity(model, **job)
    torch.save({"value": torch.tensor(0.5)}, code.with_name("kept.pt"))
    assert before.code_sha256 != identity(model, **job).code_sha256
    assert before.parameters_sha256 == model.parameters_sha256


@pytest.mark.parametrize(
    "job",
    [
        {"explainer": "{code}:attribute", "arms": {"spread": [0, 8]}},
        {"reward": {"kind": "{code}:judge"}},
        {"reward": {"kind": "agreement", "explainer": "{code}:closure"}},
        {"architecture": "{code}:net"},
    ],
)
def test_the_code_of_every_factory_is_told_apart(model: Model, code: Path, job: dict[str, Any]) -> None:
    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(each) for key, each in value.items()}
        return value.format(code=code) if isinstance(value, str) else value

    before = identity(model, **named(job))
    assert before == identity(model, **named(job))
    code.write_text(f"{code.read_text()}\n# mended\n")
    assert before != identity(model, **named(job))


def test_the_weight_file_that_a_reward_reads_is_told_apart(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "weights.yaml"
    job = {"reward": {"kind": "agreement", "weights": str(path)}}
    seen = set()
    for pre in (0.0, 1.0):
        path.write_text(f"format: 1\narchitecture: {model.architecture}\nweights: {{pre: {pre}}}\n")
        seen.add(identity(model, **job))
    assert len(seen) == 2


def test_a_module_of_a_package_counts_with_those_beside_it(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "identity_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("FACTOR = 1\n")
    (package / "methods.py").write_text(
        "from identity_package.beside import FACTOR\n"
        "def make(model): return lambda batch, targets: FACTOR * batch.mean(1).abs()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    job = {"explainer": "identity_package.methods:make", "arms": {"spread": [0, 8]}}
    before = identity(model, **job)
    (package / "beside.py").write_text("FACTOR = 2\n")
    assert before != identity(model, **job)


def test_a_job_without_code_of_the_user_has_no_hash_of_it(model: Model) -> None:
    assert identity(model).code_sha256 is None
    assert identity(model, architecture="timm:resnet18").code_sha256 is None


def test_what_an_explainer_keeps_of_images_does_not_count(tmp_path: Path) -> None:
    """The identity is taken before anything is explained, at creation as in each worker."""
    path = tmp_path / "keeps.py"
    path.write_text(
        "import torch\n"
        "class Keeps:\n"
        "    seen = None\n"
        "    def __call__(self, batch, targets):\n"
        "        self.seen = batch\n"
        "        return batch.mean(1).abs()\n"
        "def make(model): return Keeps()\n"
        "def net():\n"
        "    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())\n"
    )
    spec = JobSpec.model_validate(
        {
            "name": "keeps",
            "architecture": f"{path}:net",
            "dataset": {"kind": "digits", "images": 5},
            "explainer": f"{path}:make",
            "arms": {"spread": [0, 8]},
        }
    )
    plan = prepare(spec)
    scorer = make_scorer(spec, plan.dataset, "cpu", plan.identity)
    assert scorer.score(plan.images[0], [spec.settings]).shape == (1,)
    path.write_text(f"{path.read_text()}\n# mended\n")
    with pytest.raises(
        ChangedError, match=r"the code of \S+keeps.py:net, \S+keeps.py:make, or tensors that it holds, are not"
    ):
        make_scorer(spec, plan.dataset, "cpu", plan.identity)
