"""Ctrl-C ends a run in several processes at once; what was recorded by then is kept, and the next run goes on."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
IMAGES = 96
PATIENCE = 300.0
"""Seconds until a command counts as one that hangs, on a machine with much to do."""

NETWORK = """
import os, time
import torch
from pathlib import Path
from torch import nn
from tracer import Preprocessing

class Slow(nn.Sequential):
    def forward(self, x):
        with (Path(__file__).parent / "seen").open("a") as file:
            file.write(f"{os.getpid()} {len(x)}\\n")
        if (Path(__file__).parent / "first").exists() and len((Path(__file__).parent / "seen").read_text()) > 64:
            time.sleep(1000)
        return super().forward(x)

def net():
    torch.manual_seed(0)
    module = Slow(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    module.preprocessing = Preprocessing(8, 8)
    return module
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    words = (
        "pointing-game --arch net.py:net --kind csv --images boxes.csv --methods centre-prior --jobs 2 --cache made.db"
    )
    interruptible = ("env", "--default-signal=INT")  # what a shell starts in the background ignores it
    return subprocess.Popen(
        [*interruptible, sys.executable, "-c", "from experiments.cli import main; main()", *words.split()],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def records(folder: Path) -> int:
    if not (folder / "made.db").exists():
        return 0
    with contextlib.closing(sqlite3.connect(folder / "made.db")) as database:
        try:
            return int(database.execute("SELECT count(*) FROM record").fetchone()[0])
        except sqlite3.OperationalError:  # the table is not made yet
            return 0


def alive(session: int) -> list[str]:
    """Processes of a session, by their command lines."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(stat.with_name("cmdline").read_text())
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[str]"]]:
    """What a test started; none of it is left."""
    commands: list[subprocess.Popen[str]] = []
    yield commands
    for command in commands:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


@pytest.mark.parametrize(
    "group",
    [
        pytest.param(True, id="typed in a terminal"),
        pytest.param(False, id="sent to the command alone", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_ends_every_process_and_the_next_run_goes_on(
    tmp_path: Path, started: list["subprocess.Popen[str]"], group: bool
) -> None:
    (tmp_path / "net.py").write_text(NETWORK)
    for number in range(IMAGES):
        Image.new("RGB", (10, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    lines = [f"{number}.png,0,0,5,5" for number in range(IMAGES)]
    (tmp_path / "boxes.csv").write_text("\n".join(["image,x0,y0,x1,y1", *lines]))
    (tmp_path / "first").touch()
    command = start(tmp_path)
    started.append(command)
    deadline = time.monotonic() + PATIENCE
    while not records(tmp_path):
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < deadline, "nothing was recorded"
        time.sleep(0.05)
    deadline = time.monotonic() + PATIENCE
    (os.killpg if group else os.kill)(command.pid, signal.SIGINT)
    _, complaints = command.communicate(timeout=PATIENCE)
    assert command.returncode == 1
    assert complaints.endswith("Aborted!\n")
    assert "Traceback" not in complaints
    while left := alive(command.pid):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    kept = records(tmp_path)
    assert 0 < kept < IMAGES

    (tmp_path / "first").unlink()
    (tmp_path / "seen").unlink()
    again = start(tmp_path)
    started.append(again)
    table, complaints = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, complaints
    assert "centre-prior" in table
    assert records(tmp_path) == IMAGES
    seen = sum(int(line.split()[1]) for line in (tmp_path / "seen").read_text().splitlines())
    assert seen <= IMAGES - kept + 2 + 8, "beside the images that are left, a process tries out its network"
