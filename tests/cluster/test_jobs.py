"""Jobs on a cluster of real processes, and what becomes of them when parts of it die, hang or lose the network."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.cluster.compose import PATH, ROOT
from tests.cluster.conftest import Machines

pytestmark = pytest.mark.timeout(900)

IMAGES = 240
JOB = f"""
architecture: tiny:make
dataset: {{kind: csv, root: DATA, images: {IMAGES}}}
policy: {{kind: ucb1, budget: {6 * IMAGES}}}
reward: {{iou: 0.1}}
workers: {{timeout: 10}}
"""
PULLS = 3 * 6 * IMAGES
TEXTS = {".log", ".out", ".err", ".json", ".yaml", ".txt", ""}


@pytest.fixture(scope="session")
def folder(machines: Machines) -> Path:
    """What the laptop sends along: a job file and a network; the images lie on the cluster."""
    data = machines.home / "data"
    rng = np.random.default_rng(0)
    lines = ["image,x0,y0,x1,y1"]
    for number in range(IMAGES):
        image = rng.integers(0, 60, (96, 96, 3), dtype=np.uint8)
        x, y, width, height = rng.integers(8, 40, 4)
        image[y : y + height, x : x + width] += 150
        Image.fromarray(image).save(data / f"{number}.png")
        lines.append(f"{number}.png,{x},{y},{x + width},{y + height}")
    (data / "boxes.csv").write_text("\n".join(lines))
    folder = machines.home / "job"
    folder.mkdir()
    (folder / "job.yaml").write_text(JOB.replace("DATA", str(data)))
    (folder / "unhurried.yaml").write_text(JOB.replace("DATA", str(data)).replace("tiny:make", "tiny:make_unhurried"))
    shutil.copy(Path(__file__).parent / "tiny.py", folder)
    (folder / ".env").write_text("\n".join(machines.secrets))  # as one lies beside compose's file: it must stay here
    return folder


def told(machines: Machines, *arguments: str) -> Any:
    """The answer of a query, from JSON."""
    done = machines.tuner(*arguments, "-f", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def arms(machines: Machines, name: str) -> list[dict[str, Any]]:
    """The arm table of a job, without what its database calls the arms."""
    return [{key: value for key, value in arm.items() if key != "id"} for arm in told(machines, "arms", name)]


def pulls(machines: Machines, name: str) -> int:
    """Pulls that are committed so far; 0 before the job is in the database."""
    done = machines.tuner("arms", name, "-f", "json")
    return sum(arm["pulls"] for arm in json.loads(done.stdout)) if done.returncode == 0 else 0


def submit(machines: Machines, name: str, *options: str, file: str = "job.yaml") -> subprocess.CompletedProcess[str]:
    """Submit the job under a name."""
    folder = machines.home / "job"
    return machines.tuner("submit", f"{folder}/{file}", "--working-dir", str(folder), "--name", name, *options)


def submit_unhurried(machines: Machines, name: str) -> subprocess.CompletedProcess[str]:
    """Submit the job, which then takes a minute and can be disturbed."""
    return submit(machines, name, file="unhurried.yaml")


def resume(machines: Machines, name: str) -> subprocess.CompletedProcess[str]:
    """Go on with a job."""
    return machines.tuner("resume", name, "--working-dir", str(machines.home / "job"))


def wait_for_pulls(machines: Machines, name: str, least: int) -> None:
    deadline = time.monotonic() + 300
    while pulls(machines, name) < least:
        assert time.monotonic() < deadline, log(machines, name)
        time.sleep(0.2)


def wait_for_end(machines: Machines, name: str) -> str:
    """How the newest attempt's process ended."""
    deadline = time.monotonic() + 300
    while (state := told(machines, "attempts", name)[-1]["state"]) in {"pending", "running"}:
        assert time.monotonic() < deadline, log(machines, name)
        time.sleep(0.5)
    return str(state)


def log(machines: Machines, name: str) -> str:
    """What the newest attempt wrote."""
    return machines.tuner("logs", name, "--output").stdout


@pytest.fixture(scope="session")
def undisturbed(machines: Machines, folder: Path) -> list[dict[str, Any]]:
    """The arm table of a job that nothing happened to."""
    done = submit(machines, "undisturbed", "--wait")
    assert done.returncode == 0, done.stderr
    table = arms(machines, "undisturbed")
    assert sum(arm["pulls"] for arm in table) == PULLS
    return table


def same(machines: Machines, name: str, undisturbed: list[dict[str, Any]]) -> None:
    """The job ended with the arm table of the undisturbed one, and its counters are right."""
    assert arms(machines, name) == undisturbed
    assert machines.tuner("verify", name).returncode == 0


def events(machines: Machines, name: str) -> str:
    """What happened to a job, in words."""
    return "\n".join(event["message"] for event in told(machines, "logs", name))


def test_a_job_goes_from_submit_to_its_weights(machines: Machines, undisturbed: list[dict[str, Any]]) -> None:
    file = machines.home / "weights.yaml"
    assert machines.tuner("export", "undisturbed", "-o", str(file)).returncode == 0
    assert "weights:" in file.read_text()
    listed = told(machines, "list")
    assert [(job["name"], job["state"]) for job in listed if job["name"] == "undisturbed"] == [
        ("undisturbed", "finished")
    ]
    assert told(machines, "attempts", "undisturbed")[-1]["state"] == "succeeded"


def test_the_probes_of_the_kubernetes_manifest_are_answered_from_outside_without_a_token(machines: Machines) -> None:
    spec = yaml.safe_load((ROOT / "deploy" / "raycluster.yaml").read_text())["spec"]
    for host, group in (("head", spec["headGroupSpec"]), ("worker1", spec["workerGroupSpecs"][0])):
        for probe in ("readinessProbe", "livenessProbe"):
            asked = group["template"]["spec"]["containers"][0][probe]["httpGet"]
            url = f"http://{host}:{asked['port']}{asked['path']}"
            code = f"import urllib.request as r; print(r.urlopen({url!r}, timeout=5).status)"
            done = machines.network["laptop"].run("python", "-c", code, env={"PATH": PATH})
            assert done.stdout.strip() == "200", (url, done.stderr)


def test_the_databases_url_is_nowhere_but_in_the_environment(machines: Machines, undisturbed: object) -> None:
    """Not in what Ray was told or wrote, nor in what the user sees."""
    seen = [log(machines, "undisturbed"), *(path.read_text(errors="replace") for path in written(machines))]
    assert len(seen) > 10
    for secret in machines.secrets:
        assert not any(secret in text for text in seen)


def written(machines: Machines) -> list[Path]:
    """Every log of Ray and of the services, and every file that travelled with a job."""
    ray = (machines.home / "ray").rglob("*")
    return [path for path in (*ray, *(machines.home / "logs").iterdir()) if path.is_file() and path.suffix in TEXTS]


@pytest.mark.slow
def test_a_name_that_runs_is_refused_and_one_that_was_stopped_goes_on(
    machines: Machines, undisturbed: list[dict[str, Any]]
) -> None:
    assert submit_unhurried(machines, "stopped").returncode == 0
    wait_for_pulls(machines, "stopped", 200)
    again = submit_unhurried(machines, "stopped")
    assert again.returncode == 1
    assert "attempt 1 is running: follow it with" in again.stderr
    assert machines.tuner("stop", "stopped").returncode == 0
    wait_for_end(machines, "stopped")
    assert 0 < pulls(machines, "stopped") < PULLS
    assert resume(machines, "stopped").returncode == 0
    assert wait_for_end(machines, "stopped") == "succeeded"
    assert [attempt["attempt"] for attempt in told(machines, "attempts", "stopped")] == [1, 2]
    same(machines, "stopped", undisturbed)


def test_sqlite_is_refused_across_machines_with_the_reason(machines: Machines, folder: Path) -> None:
    done = submit(machines, "sqlite", "--storage-env", "SQLITE_STORAGE", "--wait")
    assert done.returncode == 1
    assert "it is a file of one machine, and its locks do not hold across machines" in done.stderr


def test_a_variable_that_the_cluster_does_not_have_is_named(machines: Machines, folder: Path) -> None:
    done = submit(machines, "unset", "--storage-env", "NO_SUCH_VARIABLE", "--wait")
    assert done.returncode == 1
    assert "NO_SUCH_VARIABLE is not set on the cluster" in done.stderr


def test_a_wrong_token_is_told_in_one_line(machines: Machines) -> None:
    token, machines.variables["RAY_AUTH_TOKEN"] = machines.variables["RAY_AUTH_TOKEN"], "0" * 64
    try:
        done = machines.tuner("attempts")
    finally:
        machines.variables["RAY_AUTH_TOKEN"] = token
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "tuner: cluster: it wants a token: set RAY_AUTH_TOKEN to the cluster's"


def kill_a_worker(machines: Machines) -> None:
    """One actor dies, as by the kernel's out-of-memory killer."""
    assert machines.network["worker1"].kill("ray::Worker")


def hang_a_worker(machines: Machines) -> None:
    """One actor gives no answer any more, and does not die either."""
    assert machines.network["worker1"].kill("ray::Worker", signal.SIGSTOP)


def kill_a_node(machines: Machines) -> None:
    """Everything on a worker's machine dies at once; the machine comes back later."""
    machines.network["worker1"].power_off()
    machines.serve("worker", "worker1")


def unplug_a_node(machines: Machines) -> None:
    """A worker's machine is cut off while its processes go on; it is replaced by a new one with the same name."""
    machines.network["worker1"].unplug()
    time.sleep(5)
    machines.network["worker1"].power_off()
    machines.network["worker1"].plug()
    machines.serve("worker", "worker1")


def restart_postgres(machines: Machines) -> None:
    """The database crashes and is back three seconds later."""
    machines.database.stop(signal.SIGQUIT)
    time.sleep(3)
    machines.database.start()


def kill_the_driver(machines: Machines) -> None:
    """The controller dies without a word; the user resumes the job."""
    assert machines.network["head"].kill("tuner drive")
    name = told(machines, "list")[0]["name"]
    assert wait_for_end(machines, name) == "failed"
    assert resume(machines, name).returncode == 0


def lose_the_cluster(machines: Machines) -> None:
    """Head and workers die at once and come back knowing of no job; the user submits the same file again."""
    name = told(machines, "list")[0]["name"]
    for host in ("head", "worker1", "worker2"):
        machines.network[host].power_off()
    machines.serve("head")
    for host in ("worker1", "worker2"):
        machines.serve("worker", host)
    assert submit_unhurried(machines, name).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("disturb", "words"),
    [
        (kill_a_worker, "a worker was lost with image"),
        (hang_a_worker, "failed: no answer within 10 seconds"),
        (kill_a_node, "a worker was lost with image"),
        (unplug_a_node, ""),  # told by its lost worker, or by the image that came too late
        (restart_postgres, ""),
        (kill_the_driver, ""),
        (lose_the_cluster, ""),
    ],
)
def test_a_disturbed_job_ends_as_an_undisturbed_one(
    machines: Machines, undisturbed: list[dict[str, Any]], disturb: Callable[[Machines], None], words: str
) -> None:
    name = disturb.__name__.replace("_", "-")
    assert submit_unhurried(machines, name).returncode == 0
    wait_for_pulls(machines, name, PULLS // 10)
    disturb(machines)
    assert pulls(machines, name) < PULLS, "it ended before it was disturbed"
    assert wait_for_end(machines, name) == "succeeded", log(machines, name)
    same(machines, name, undisturbed)
    assert words in events(machines, name)
