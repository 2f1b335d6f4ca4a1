"""The command line: help at once, one line for every mistake, rows in every form."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from experiments.cli import SPEED_SECTIONS, main
from experiments.methods import find_method
from experiments.speed.run import SECTIONS
from tests.experiments.colours import write_colours
from tracer import Alpha, Weights


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of the tests stay out of the user's cache."""
    monkeypatch.delenv("TRACER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """A network of the user's own and a CSV data set of three images."""
    return write_colours(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("command", [[], ["localisation"], ["speed"], ["cnn-fixations"], ["pointing-game"]])
def test_help_teaches_at_once_and_imports_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys; from experiments.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "print([m for m in ('torch', 'ray', 'sqlalchemy', 'pydantic', 'numpy', 'captum') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True, check=True)
    assert "Usage:" in shown.stdout
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


def test_every_method_is_offered_sizes_and_the_mirror_image(options: list[str]) -> None:
    asked = ["--methods", "grad-cam,saliency,centre-prior", "--tuned-on", "1-2", "--evaluated-on", "3-3", "-f", "json"]
    result = run("localisation", *options, *asked, "--input", "32", "--input", "64", "--flip")
    assert result.exit_code == 0, result.output
    named = {row["method"]: row["read_off"] for row in json.loads(result.stdout)}
    assert all(named[method].startswith(("input 32, ", "input 64, ")) for method in ("grad-cam", "saliency"))
    refused = run("localisation", *options, "--flip")
    assert refused.exit_code == 2
    assert "give --tuned-on and --evaluated-on" in refused.stderr


def test_pointing_game_tunes_the_blur(options: list[str]) -> None:
    asked = ["--methods", "saliency", "--tuned-on", "2-3", "--evaluated-on", "1-1", "-f", "json"]
    rows = json.loads(run("pointing-game", *options, *asked).stdout)
    assert [(row["measure"], row["method"]) for row in rows] == [("pointing", "whole image"), ("pointing", "saliency")]


def test_rewards_are_recorded_once_for_choices_and_policies(options: list[str]) -> None:
    asked = ["--tuned-on", "1-2", "--evaluated-on", "3-3", "--depths", "image", "--spreads", "0,8", "--cuts", "0.3"]
    chosen = run("rewards", *options, *asked, "-f", "json")
    assert chosen.exit_code == 0, chosen.output
    rows = json.loads(chosen.stdout)
    assert {row["images"] for row in rows} == {1}
    assert {row["judged_by"] for row in rows} >= {"iou", "pointing", "deletion"}
    played = run("rewards", *options, *asked, "--policies", "--runs", "1")
    assert "fewest forward passes" in played.stdout.splitlines()[0]


def test_confidence_gives_the_rows_of_both_tables_the_same_columns(options: list[str], tmp_path: Path) -> None:
    result = run("confidence", *options, "--methods", "grad-cam", "--pictures", str(tmp_path / "p"), "-f", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {row["table"] for row in rows} == {"Change of confidence when the rest is hidden", "Insertion and deletion"}
    assert len({tuple(row) for row in rows}) == 1
    assert (tmp_path / "p" / "insertion-and-deletion.png").stat().st_size > 10_000


def test_gallery_shows_the_images_asked_for(options: list[str], tmp_path: Path) -> None:
    asked = ["--methods", "grad-cam", "--ids", "2.png,0.png", "--pictures", str(tmp_path / "p"), "-f", "json"]
    result = run("gallery", *options, *asked)
    assert result.exit_code == 0, result.output
    assert [row["image"] for row in json.loads(result.stdout)] == ["2.png", "0.png"]
    assert (tmp_path / "p" / "explanations-side-by-side.png").exists()
    assert "no image '9.png'" in run("gallery", *options, "--ids", "9.png").stderr


def test_draws_are_averaged(options: list[str]) -> None:
    rows = json.loads(
        run("pointing-game", *options, "--methods", "grad-cam", "--limit", "2", "--repeat", "3", "-f", "json").stdout
    )
    assert [(row["method"], row["score"], row["score_between"]) for row in rows][1] == ("grad-cam", 100, 0)


@pytest.fixture
def seen(options: list[str], tmp_path: Path) -> list[str]:
    """The same, with a weight file that was learned on one of the images."""
    file = tmp_path / "weights.yaml"
    provenance = {"job": "a", "tuned_on": ["1.png"]}
    Weights(options[options.index("--arch") + 1], Alpha(), provenance=provenance).save(file)
    return [*options, "--weights", str(file), "--methods", "tracer,grad-cam"]


def test_images_that_settings_were_learned_on_are_refused(seen: list[str]) -> None:
    result = run("pointing-game", *seen)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "tracer was learned on 1 of these 3 images" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_seen_images_are_left_out_or_told_of_in_every_table(seen: list[str]) -> None:
    unseen = json.loads(run("pointing-game", *seen, "--unseen", "-f", "json").stdout)
    assert {row["images"] for row in unseen} == {2}
    allowed = json.loads(run("pointing-game", *seen, "--allow-seen", "-f", "json").stdout)
    assert {row["method"]: row["seen"] for row in allowed} == {"centre": 0, "tracer": 1, "grad-cam": 0}
    both = run("pointing-game", *seen, "--allow-seen", "--unseen")
    assert (both.exit_code, "give one of the two" in both.stderr) == (2, True)


def test_tuned_comparison_refuses_seen_images_too(seen: list[str]) -> None:
    assert run("localisation", *seen, "--tuned-on", "1-1", "--evaluated-on", "2-3").exit_code == 2
    assert run("localisation", *seen, "--tuned-on", "1-2", "--evaluated-on", "3-3").exit_code == 0
    unseen = run("pointing-game", *seen, "--tuned-on", "1-1", "--evaluated-on", "2-3", "--unseen", "-f", "json")
    assert {row["images"] for row in json.loads(unseen.stdout)} == {1}


def test_verdict_stands_above_the_tables(options: list[str]) -> None:
    shown = run("pointing-game", *options, "--methods", "grad-cam").stdout
    assert shown.splitlines()[0] == "grad-cam points best: 100% of 3 images."


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


def test_a_folder_that_is_not_there_is_told_before_a_network_is_fetched() -> None:
    result = run("pointing-game", "--arch", "resnet18", "--kind", "csv", "--images", "nowhere.csv")
    assert result.exit_code == 2
    assert "nowhere.csv" in result.stderr
    assert "Downloading" not in result.stderr


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


def test_policies_and_pnpxai_are_asked_for_one_at_a_time(options: list[str]) -> None:
    result = run("rewards", *options, "--tuned-on", "1-2", "--evaluated-on", "3-3", "--policies", "--pnpxai", "100")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "experiments: --policies and --pnpxai ask different things: give one of the two"
    ]


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
