"""The wheel holds what it needs, and its own requirements, without any extra, are enough to explain an image."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import torch
import yaml
from packaging.requirements import Requirement
from PIL import Image
from torchvision import models

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git tracks, as from a clean checkout."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout to build from")
    folder = tmp_path_factory.mktemp("build")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "checkout" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    built = subprocess.run(
        [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(folder / "checkout")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def required(requirements: list[str]) -> dict[str, Distribution]:
    """The installed distributions that these requirements come to, by name."""
    found: dict[str, Distribution] = {}
    left = [Requirement(requirement) for requirement in requirements]
    while left:
        requirement = left.pop()
        extras = requirement.extras or {""}
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        if requirement.name.lower() not in found:
            found[requirement.name.lower()] = distribution(requirement.name)
            further = map(Requirement, found[requirement.name.lower()].requires or [])
            left += [each for each in further if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True).stdout.split(
        "\n"
    )
    ours = {name for name in listed if name.split("/")[0] in ("tracer", "tuner", "storage", "experiments")}
    assert {name for name in ours if (ROOT / name).is_file()} <= packed
    assert not {name for name in packed if name.startswith("tests/")}


def test_the_wheel_is_as_an_index_wants_it(wheel: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", wheel], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout.decode()


def test_the_version_is_the_same_wherever_it_stands() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version


def test_the_wheel_alone_explains_an_image(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    (metadata,) = site.glob("bandit_tracer-*.dist-info")
    for name, found in required([r for r in Distribution.at(metadata).requires or [] if "extra ==" not in r]).items():
        for top in {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            link = site / top
            if not link.exists() and Path(str(found.locate_file(top))).exists():
                link.symlink_to(found.locate_file(top))
        assert name not in ("ray", "sqlalchemy", "optuna", "scikit-learn", "pydantic"), "the tracer does not need it"
    torch.save(models.squeezenet1_1(weights=None).state_dict(), tmp_path / "weights.pth")
    Image.effect_noise((90, 70), 60).convert("RGB").save(tmp_path / "image.png")
    command = "from tracer.cli import main; main()"
    arguments = ["explain", "image.png", "--arch", "squeezenet1_1", "--checkpoint", "weights.pth", "-o", "explained"]
    explained = subprocess.run(
        [tmp_path / "env/bin/python", "-I", "-c", command, *arguments],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert explained.returncode == 0, explained.stderr
    assert {file.suffix for file in (tmp_path / "explained").iterdir()} == {".png", ".json"}
    tuner = subprocess.run(
        [tmp_path / "env/bin/python", "-I", "-c", "from tuner.cli import main; main()", "list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tuner.returncode == 1
    assert tuner.stderr.count("\n") == 1
    assert "pip install 'bandit-tracer[tuner]'" in tuner.stderr
