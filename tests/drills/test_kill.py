"""SIGKILL at seeded random moments: no pull is lost, none is made twice, and the arms come out the same."""

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray.util

from tests.drills.drill import PATIENCE, Drill, Outcome

MOMENTS = 50
"""Kills of each sort in the long drill; two in the short one."""
LONGEST = 2.5
"""Seconds after its start within which a job is killed; undisturbed it takes a little longer, at two workers."""


@pytest.fixture(scope="module")
def ray_head() -> Iterator[dict[str, str]]:
    """A Ray cluster that outlives the controllers, so that a drill does not wait for Ray to start each time."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    secrecy = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAY_enable_metrics_collection": "0"} | secrecy
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block"]
    options = [f"--port={port}", "--num-cpus=2", "--include-dashboard=false", f"--object-store-memory={128 * 2**20}"]
    head = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True)
    assert head.stdout is not None
    for line in head.stdout:
        if "Ray runtime started" in line:
            break
    else:
        pytest.fail(f"Ray did not start: exit status {head.wait(PATIENCE)}")
    yield environment | {"RAY_ADDRESS": f"{ray.util.get_node_ip_address()}:{port}"}
    head.terminate()
    head.communicate(timeout=PATIENCE)


@pytest.fixture
def drill(tmp_path: Path, ray_head: dict[str, str]) -> Drill:
    folder = tmp_path / "workers"
    folder.mkdir()
    return Drill(f"sqlite:///{tmp_path}/tuner.db", folder, ray_head)


def kill_controller(drill: Drill, process: "subprocess.Popen[str]", rng: random.Random) -> bool:
    alive = process.poll() is None
    process.kill()
    return alive


def kill_worker(drill: Drill, process: "subprocess.Popen[str]", rng: random.Random) -> bool:
    workers = drill.workers()
    if not workers:
        return False
    try:
        os.kill(rng.choice(workers), signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself in between
        return False
    return True


def kill_both(drill: Drill, process: "subprocess.Popen[str]", rng: random.Random) -> bool:
    worker = kill_worker(drill, process, rng)
    return kill_controller(drill, process, rng) and worker


Kill = Callable[[Drill, "subprocess.Popen[str]", random.Random], bool]
"""Kills, and says whether there was anything left to kill."""


def check(drill: Drill, expected: Outcome, kill: Kill, moments: int, seed: int) -> None:
    """Kill one job after another at random moments, each time again until it is finished."""
    rng = random.Random(seed)
    killed = jobs = 0
    while killed < moments:
        name = f"killed-{jobs}"
        jobs += 1
        while killed < moments and not drill.finished(name):
            process = drill.start(name)
            wait_for_workers(drill, process)
            time.sleep(rng.uniform(0, LONGEST))
            killed += kill(drill, process, rng)
            process.communicate(timeout=PATIENCE)
        if not drill.finished(name):
            drill.finish(name)
        assert drill.outcome(name) == expected


def wait_for_workers(drill: Drill, process: "subprocess.Popen[str]") -> None:
    """Until the job's own workers are there, or it ended."""
    before = set(drill.folder.iterdir())
    deadline = time.monotonic() + PATIENCE
    while set(drill.folder.iterdir()) <= before and process.poll() is None:
        assert time.monotonic() < deadline, "no worker came"
        time.sleep(0.02)


@pytest.mark.parametrize("kill", [kill_controller, kill_worker, kill_both])
def test_a_killed_job_ends_as_if_undisturbed(drill: Drill, undisturbed: Outcome, kill: Kill) -> None:
    check(drill, undisturbed, kill, moments=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kill", [kill_controller, kill_worker, kill_both])
def test_fifty_killed_jobs_end_as_if_undisturbed(drill: Drill, undisturbed: Outcome, kill: Kill) -> None:
    check(drill, undisturbed, kill, MOMENTS, seed=2)
