"""The jobs of examples/ are what they say."""

import shutil
from pathlib import Path

import pytest

from tuner.demo import digits_job
from tuner.spec.job import load_job

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_demo_plays_the_example() -> None:
    assert digits_job("digits") == load_job(EXAMPLES / "digits.yaml")


@pytest.mark.parametrize(
    ("name", "arms", "tuned_on"), [("digits", 240, 134), ("digits-small", 18, 40), ("resnet18-imagenet", 480, 268)]
)
def test_budgets_reach_every_arm_on_every_image_tuned_on(name: str, arms: int, tuned_on: int) -> None:
    spec = load_job(EXAMPLES / f"{name}.yaml")
    (set_,) = spec.arm_sets(spec.settings)
    assert (len(set_.candidates), spec.tuned_on(spec.dataset.images)) == (arms, tuned_on)
    assert spec.policy.budget == arms * tuned_on


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_job(file: Path) -> None:
    assert load_job(file).name == file.stem


@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # of the kernel's own machinery
def test_every_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    for file in EXAMPLES.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    assert not any(cell.get("outputs") for cell in content.cells), "clear the outputs before committing"
    done = nbclient.NotebookClient(content, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", ()) if "data" in output]
    assert any("<figure" in output["data"].get("text/html", "") for output in shown)
    assert any("mean" in output["data"].get("text/html", "") for output in shown)  # the table of arms
