"""The command line: help at once, one line for every mistake, rows in every form."""

import csv
import io
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from experiments.cli import SPEED_SECTIONS, main
from experiments.methods import find_method
from experiments.speed.run import SECTIONS

NETWORK = """
import torch
from torch import nn

from tracer import Preprocessing


def colours():
    head = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])[:, :, None, None])
    network = nn.Sequential(head, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    network.preprocessing = Preprocessing(32, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return network
"""


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """A network of the user's own and a CSV data set of three images."""
    (tmp_path / "colours.py").write_text(NETWORK)
    lines = ["image,x0,y0,x1,y1"]
    for place in range(3):
        image = Image.new("RGB", (64, 48))
        image.paste((255, 0, 0), (4 * place, 4, 4 * place + 20, 24))
        image.save(tmp_path / f"{place}.png")
        lines.append(f"{place}.png,{4 * place},4,{4 * place + 20},24")
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    return ["--arch", f"{tmp_path / 'colours.py'}:colours", "--images", str(tmp_path / "boxes.csv"), "--kind", "csv"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", [[], ["localisation"], ["speed"], ["cnn-fixations"], ["pointing-game"]])
def test_help_teaches_at_once(command: list[str]) -> None:
    code = "import sys; from experiments.cli import main; main(sys.argv[1:])"
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = subprocess.run(
            [sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "Usage:" in shown.stdout
    assert min(taken) < 0.6  # processor time: 0.2 s on an idle machine, more on a busy one


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from experiments.cli import main; main(['--help'], standalone_mode=False); "
        "print([m for m in ('torch', 'ray', 'sqlalchemy', 'pydantic', 'numpy', 'captum') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_localisation_gives_the_baseline_first_and_a_row_a_method(options: list[str]) -> None:
    result = run("localisation", *options, "--methods", "tracer,grad-cam", "-f", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["method"] for row in rows] == ["whole image", "tracer", "tracer", "grad-cam"]
    assert all(row["images"] == 3 for row in rows)
    grad_cam = rows[-1]
    assert grad_cam["success"] == 100
    assert grad_cam["mean_iou"] > rows[0]["mean_iou"]


def test_pointing_game_as_csv_is_deterministic(options: list[str]) -> None:
    arguments = [
        "pointing-game",
        *options,
        "--methods",
        "saliency,grad-cam",
        "--limit",
        "2",
        "--seed",
        "4",
        "-f",
        "csv",
    ]
    first, second = run(*arguments), run(*arguments)
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    rows = list(csv.DictReader(io.StringIO(first.stdout)))
    assert [row["method"] for row in rows] == ["centre", "saliency", "grad-cam"]
    assert [row["images"] for row in rows] == ["2", "2", "2"]


def test_localisation_tunes_on_some_images_and_judges_on_others(options: list[str]) -> None:
    asked = ["--methods", "grad-cam,centre-prior", "--tuned-on", "1-2", "--evaluated-on", "3-3", "-f", "json"]
    result = run("localisation", *options, *asked)
    assert result.exit_code == 0, result.output
    rows = {(row["measure"], row["method"]): row for row in json.loads(result.stdout)}
    assert len(rows) == 6 * 3
    assert all(row["images"] == 1 for row in rows.values())
    assert rows["iou-70", "grad-cam"]["value"] == 100
    assert rows["iou-70", "grad-cam"]["difference"] is None
    assert rows["iou-70", "centre-prior"]["difference"] == -100
    assert rows["maxboxacc", "grad-cam"]["read_off"].startswith("32 x 32, spread ")


def test_pointing_game_tunes_the_blur(options: list[str]) -> None:
    asked = ["--methods", "saliency", "--tuned-on", "2-3", "--evaluated-on", "1-1", "-f", "json"]
    rows = json.loads(run("pointing-game", *options, *asked).stdout)
    assert [(row["measure"], row["method"]) for row in rows] == [("pointing", "whole image"), ("pointing", "saliency")]


@pytest.mark.parametrize("text", ["5", "0-4", "9-2", "a-b"])
def test_bad_range_is_refused_with_the_mend(text: str, options: list[str]) -> None:
    result = run("localisation", *options, "--tuned-on", text)
    assert result.exit_code == 2
    assert f"'{text}' is no range of images: write A-B" in result.stderr


@pytest.mark.parametrize("command", ["localisation", "pointing-game", "confidence", "speed"])
def test_default_methods_are_known(command: str) -> None:
    (methods,) = (option for option in main.commands[command].params if option.name == "methods")
    for name in methods.default.split(","):
        find_method(name)


def test_command_line_knows_the_measures() -> None:
    from experiments.tuned import MEASURES

    (criterion,) = (option for option in main.commands["localisation"].params if option.name == "criterion")
    assert tuple(criterion.type.choices) == tuple(MEASURES)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--methods", "grad-cm"], "did you mean grad-cam?"),
        (["--arch", "resnet"], "resnet"),
        (["--images", "nowhere.csv"], "nowhere.csv"),
        (["--images", "~nosuchuser"], "--images: '~nosuchuser': no user of that name"),
        (["--checkpoint", "nowhere.pth"], "nowhere.pth"),
        (["--weights", "nowhere.yaml"], "nowhere.yaml"),
        (["--target", "label"], "label"),
        (["--tuned-on", "1-2", "--evaluated-on", "2-3"], "share the images 2-2"),
        (["--tuned-on", "1-2"], "go together"),
        (["--tuned-on", "1-2", "--evaluated-on", "3-4"], "has 3 images: a range ends at 4"),
        (["--tuned-on", "1-2", "--evaluated-on", "3-3", "--limit", "2"], "--limit"),
        (["--tuned-on", "1-2", "--evaluated-on", "3-3", "--threshold", "0.2"], "--threshold"),
    ],
)
def test_bad_input_is_one_line_and_status_2(change: list[str], told: str, options: list[str]) -> None:
    result = run("localisation", *options, *change)
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_unknown_section_of_the_benchmark_is_named() -> None:
    result = run("speed", "--only", "trace,speling")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'speling' is unknown: choose of trace" in result.stderr


def test_command_line_knows_the_benchmarks_sections() -> None:
    assert tuple(SECTIONS) == SPEED_SECTIONS


def test_every_method_is_listed() -> None:
    from experiments.methods import METHODS

    rows = json.loads(run("methods", "-f", "json").stdout)
    assert [row["method"] for row in rows] == list(METHODS)
