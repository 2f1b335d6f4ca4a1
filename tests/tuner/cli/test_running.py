"""``tuner run`` as a user meets it: bad input, and a small job on Ray from its file to its weight file."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tracer import load_weights
from tuner.cli import main
from tuner.cli.running import check
from tuner.play import lifecycle
from tuner.spec.job import load_job
from tuner.workers import actors

TINY = Path(__file__).parents[2] / "cluster" / "tiny.py"

JOB = f"""
name: small
architecture: {TINY}:make
dataset: {{kind: digits, images: 12}}
arms: {{cur: [0.0, 1.0], suc: [1.0], pre: [0.0, 0.5, 1.0]}}
policy: {{kind: ucb1, budget: 20}}
workers: {{count: 1}}
"""


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (("architecture: " + str(TINY) + ":make", "architecture: resnet19"), "resnet18"),
        (("architecture: " + str(TINY) + ":make", "architecture: vit_b_16"), "vit_b_16"),
        (("name: small", "name: small\ncheckpoint: wrong.pth"), "under the prefix 'features.'"),
        (("name: small", "name: small\ncheckpoint: none.pth"), "none.pth"),
        (("cur: [0.0, 1.0]", "cur: []"), "arms.cur"),
        (("cur: [0.0, 1.0]", "cur: [1.0, 1.0]"), "arms.cur"),
        (("cur: [0.0, 1.0]", "cur: [.inf]"), "arms.cur"),
        (("budget: 20", "budget: 2"), "budget"),
        (("kind: ucb1", "kind: ucb"), "policy"),
        (("name: small", "name: small\nsede: 1"), "seed"),
        (("kind: digits", "kind: csv, root: boxes.csv"), "boxes.csv:2"),
    ],
)
def test_bad_input_is_one_line_with_its_place_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(actors, "start_ray", lambda _: None)
    torch.save({"features.0.weight": torch.zeros(1)}, "wrong.pth")
    Path("boxes.csv").write_text("image,x0,y0,x1,y1\nmissing.png,0,0,5,5\n")
    assert wrong[0] in JOB
    Path("job.yaml").write_text(JOB.replace(*wrong))
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(main, ["run", "job.yaml"])
    assert result.exit_code == 2, result.output
    said = [line for line in result.stderr.splitlines() if not line.startswith("checking")]
    assert len(said) == 1
    assert complaint in said[0]
    assert sorted(tmp_path.iterdir()) == before


def run(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tuner", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TINY.parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def arms(folder: Path, name: str) -> list[dict[str, object]]:
    said, _ = run(folder, "arms", name, "-f", "json").communicate(timeout=60)
    rows: list[dict[str, object]] = json.loads(said)
    return rows


def test_a_job_on_ray_is_run_and_exported(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    job = run(tmp_path, "run", "job.yaml")
    said, complaints = job.communicate(timeout=300)
    assert job.returncode == 0, complaints
    assert "whole image" in said
    assert "see `tuner status small`" in complaints, "there is nothing worth exporting"
    assert "so nothing was learned" in said, "the network knows nothing"
    assert sum(int(str(arm["pulls"])) for arm in arms(tmp_path, "small")) == 2 * 8 + 8 + 20, (
        "8 of 12 images are tuned on"
    )
    assert "the same on each of 4 images that were not used to learn" in said

    exported = run(tmp_path, "export", "small", "-o", "small.yaml")
    said, complaints = exported.communicate(timeout=60)
    assert said.strip() == "small.yaml", complaints
    assert load_weights(tmp_path / "small.yaml").alpha.suc == 1.0


@pytest.mark.slow
def test_a_job_on_ray_that_was_stopped_and_resumed_comes_to_the_same_arms(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    run(tmp_path, "run", "job.yaml", "--name", "whole").communicate(timeout=300)
    stopped = run(tmp_path, "run", "job.yaml")
    deadline = time.monotonic() + 60
    while "running" not in run(tmp_path, "list", "-f", "csv").communicate(timeout=60)[0]:
        assert time.monotonic() < deadline
    stopped.send_signal(signal.SIGINT)
    _, complaints = stopped.communicate(timeout=120)
    assert "tuner resume small" in complaints
    assert stopped.returncode == 1

    resumed = run(tmp_path, "resume", "small")
    _, complaints = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, complaints
    assert arms(tmp_path, "small") == arms(tmp_path, "whole")


@pytest.mark.parametrize(
    ("reward", "told"),
    [
        ("pointing", True),
        ("confidence, keep: 0.5", True),
        ("confidence", False),
        ("insertion", True),
        ("deletion", True),
        ("agreement, by: map, weights: w.yaml", True),
        ("agreement, weights: w.yaml", False),
        ("iou", False),
    ],
)
def test_cuts_among_the_arms_of_a_reward_that_cannot_tell_them_apart_are_noted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, reward: str, told: bool
) -> None:
    monkeypatch.setattr(lifecycle, "check", lambda _: None)
    arms = "arms: {depth: [4, 8], cut: [0.3, mass 0.6]}\nsearch: joint\nbase: {box: patch}\n"
    rewarded = f"reward: {{kind: {reward}}}\n"
    (tmp_path / "job.yaml").write_text(re.sub("arms:.*\n", arms, JOB) + rewarded)
    check(load_job(tmp_path / "job.yaml"))
    assert ("leave cut out of arms" in capsys.readouterr().err) == told
