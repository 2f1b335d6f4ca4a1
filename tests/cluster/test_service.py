"""A service beside the cluster steers a job on it over HTTP, from its file to its weights."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.cluster.compose import PATH
from tests.cluster.conftest import Machines
from tuner.service.options import DIGITS

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

JOB = f"""
architecture: {DIGITS}
dataset: {{kind: digits, images: 400}}
arms: {{cut: [0.2, 0.4, 0.6], spread: [2, 6]}}
policy: {{kind: uniform, budget: 800}}
workers: {{timeout: 60}}
"""
TOKEN = "a-token-of-the-service"


class Service:
    """What answers at the head's port 8200, asked from the laptop: the test itself is on none of the hosts."""

    def __init__(self, machines: Machines) -> None:
        self._laptop = machines.network["laptop"]

    def ask(self, method: str, path: str, body: str = "") -> httpx.Response:
        """An answer of the service."""
        command = ["curl", "-sSi", "-X", method, "-H", f"Authorization: Bearer {TOKEN}", "--data-binary", body]
        done = self._laptop.run(*command, f"http://head:8200{path}", env={"PATH": PATH})
        assert done.returncode == 0, done.stderr
        head, _, content = done.stdout.partition("\n\n")
        status, *lines = head.splitlines()
        headers = dict(line.split(": ", 1) for line in lines)
        return httpx.Response(int(status.split()[1]), headers=headers, text=content)

    def wait(self, path: str, until: Callable[[Any], bool]) -> Any:
        """The first answer at a path that is what is waited for."""
        deadline = time.monotonic() + 400
        while True:
            answer = self.ask("GET", path)
            if answer.status_code == 200 and until(answer.json()):
                return answer.json()
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.5)


@pytest.fixture
def service(machines: Machines) -> Iterator[Service]:
    env = {**machines.environment, "TUNER_TOKEN": TOKEN}
    made = machines.tuner("db", "upgrade")
    assert made.returncode == 0, made.stderr
    head = machines.network["head"]
    listen = ["--host", "0.0.0.0", "--allow-host", "head"]
    options = [*listen, "--control", "--root", str(machines.home / "data"), "--address", "http://head:8265"]
    process = head.start("tuner", "serve", *options, env=env, log="service")
    service = Service(machines)
    deadline = time.monotonic() + 120
    while head.run("curl", "-sf", "http://127.0.0.1:8200/readyz", env=env).returncode:
        assert process.poll() is None, machines.log("service")
        assert time.monotonic() < deadline, machines.log("service")
        time.sleep(0.5)
    yield service
    process.terminate()
    process.wait(30)


def test_a_job_goes_from_its_file_to_its_weights_over_http(machines: Machines, service: Service) -> None:
    assert service.ask("PUT", "/jobs/steered", JOB).status_code == 201
    assert service.ask("PUT", "/jobs/steered", JOB).status_code == 200
    service.wait("/runs", lambda told: told["runs"][0]["name"] == "steered" and told["runs"][0]["state"] == "running")
    service.wait("/jobs/steered", lambda job: job["pulls"] > 0)
    assert service.ask("POST", "/jobs/steered/stop").status_code == 202
    stopped = service.wait("/jobs/steered", lambda job: job["state"] == "stopped")
    assert 0 < stopped["pulls"] < stopped["budget"]
    service.wait("/runs", lambda told: told["runs"][0]["state"] == "stopped")
    assert service.ask("POST", "/jobs/steered/resume").status_code == 202
    service.wait("/jobs/steered", lambda job: job["state"] == "finished")
    service.wait("/runs", lambda told: told["runs"][0]["state"] == "done")

    weights = service.ask("GET", "/jobs/steered/weights")
    output = machines.home / "steered.yaml"
    exported = machines.tuner("export", "steered", "-o", str(output))
    assert exported.returncode == 0, exported.stderr
    assert (weights.status_code, weights.content) == (200, output.read_bytes())
    assert service.ask("GET", f"/weights/{DIGITS}").content == weights.content

    lines = [line for host in machines.network.hosts.values() for line in host.pids().values()]
    log = machines.log("service")
    for secret in (*machines.secrets, TOKEN):
        assert secret not in log
        assert not any(secret in line for line in lines if not line.startswith("curl"))
