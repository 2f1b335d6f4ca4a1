"""A small cluster on this machine: every service of docker-compose.yml on a host of its own, and a laptop."""

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.compose import PATH, ROOT, environment, services
from tests.cluster.hosts import Host, Network, obstacle
from tests.cluster.postgres import Server
from tests.storage.postgres import binaries

WORKERS = ("worker1", "worker2")


@dataclass
class Machines:
    """A cluster to submit to.

    Args:
        network: Its hosts: ``postgres``, ``head``, ``worker1``, ``worker2`` and ``laptop``.
        database: The PostgreSQL server.
        home: Home folder of every user on every host.
        variables: What the user of the compose file would set.
    """

    network: Network
    database: Server
    home: Path
    variables: dict[str, str]

    @property
    def secrets(self) -> list[str]:
        """What must never be seen outside the environment of the services."""
        return [self.variables["POSTGRES_PASSWORD"], self.variables["RAY_AUTH_TOKEN"]]

    def serve(self, name: str, host: str | None = None) -> None:
        """Start a service by its compose command, on the host of its name unless told otherwise; await its health."""
        service = services(self.variables)[name]
        env = environment(service, self.home) | {
            "RAY_TMPDIR": str(self.home / "ray"),
            "RAY_worker_niceness": "0",  # else a busy machine starves them
            "SQLITE_STORAGE": f"sqlite:///{self.home}/tuner.db",  # a mistake that a job must refuse
        }
        machine = self.network[host or name]
        machine.start(*service.command, env=env)
        self._healthy(machine, service.check, env)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that works with the cluster: its address, token and database."""
        return {
            "PATH": PATH,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.variables["RAY_AUTH_TOKEN"],
            "RAY_API_SERVER_ADDRESS": "http://head:8265",
            "TUNER_STORAGE": self.database.url,
        }

    def tuner(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run ``tuner`` on the laptop, which knows the cluster's address, token and database."""
        return self.network["laptop"].run("tuner", *arguments, env=self.environment, timeout=timeout)

    def log(self, host: str) -> str:
        """What the processes on a host wrote."""
        return (self.home / "logs" / f"{host}.log").read_text()

    def _healthy(self, host: Host, check: tuple[str, ...], env: dict[str, str]) -> None:
        for _ in range(30):
            if host.run(*check, env=env).returncode == 0:
                return
            time.sleep(0.5)
        raise TimeoutError(f"{host.name} is not healthy: {' '.join(check)}")


@pytest.fixture(scope="session")
def machines() -> Iterator[Machines]:
    """PostgreSQL with the schema in place, a Ray head, two workers of one CPU and a laptop."""
    hindrance = obstacle() or (None if binaries() else "no PostgreSQL server")
    if hindrance:
        pytest.skip(f"no cluster on this machine: {hindrance}")
    # Not under pytest's folders: the sockets below it have names of at most 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="bt"))
    home.chmod(0o755)
    try:
        (home / "logs").mkdir()
        (home / "data").mkdir()
        (home / "database").mkdir()
        variables = {
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "TUNER_TOKEN": secrets.token_hex(16),
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "DATA_DIR": str(home / "data"),
            "WORKER_CPUS": "1",
            "OBJECT_STORE_BYTES": "80000000",
        }
        with Network(["postgres", "head", *WORKERS, "laptop"], home / "logs") as network:
            database = Server(network["postgres"], home / "database", variables["POSTGRES_PASSWORD"])
            machines = Machines(network, database, home, variables)
            machines.serve("head")
            for worker in WORKERS:
                machines.serve("worker", worker)
            yield machines
    finally:
        shutil.rmtree(home, ignore_errors=True)
