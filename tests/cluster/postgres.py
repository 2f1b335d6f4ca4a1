"""A real PostgreSQL server on a host: Debian's or whichever lies on the path, never run as root."""

import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

from tests.cluster.hosts import Host
from tests.storage.postgres import binaries


class Server:
    """A PostgreSQL server with one user and one database, both ``tuner``.

    Args:
        host: Where it runs; listens on port 5432 of every address there.
        folder: An empty folder for its files; given to the user it runs as.
        password: Of the user.
    """

    def __init__(self, host: Host, folder: Path, password: str) -> None:
        found = binaries()
        assert found is not None
        self._bin, self._host, self._folder, self._password = found, host, folder, password
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._as_owner = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        self._env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PGPASSWORD": password}
        self._process: subprocess.Popen[bytes] | None = None
        secret = folder / "password"
        secret.write_text(password)
        os.chown(secret, owner.pw_uid, owner.pw_gid)
        self._do("initdb", "-D", f"{folder}/data", "-U", "tuner", "-A", "scram-sha-256", f"--pwfile={secret}")
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 scram-sha-256\n")
        self.start()
        self._do("createdb", "-h", host.name, "-U", "tuner", "tuner")

    @property
    def url(self) -> str:
        """As hosts on its network reach it."""
        return f"postgresql+psycopg://tuner:{self._password}@{self._host.name}:5432/tuner"

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = str(self._bin / "postgres")
        self._process = self._host.start(
            *self._as_owner, program, "-D", f"{self._folder}/data", "-h", "*", "-k", str(self._folder), env=self._env
        )
        for _ in range(200):
            if self._host.run(str(self._bin / "pg_isready"), "-h", self._host.name, env=self._env).returncode == 0:
                return
            time.sleep(0.1)
        raise TimeoutError("PostgreSQL did not start")

    def stop(self, by: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends every session, SIGQUIT is a crash."""
        assert self._process is not None
        self._host.kill(f"{self._bin}/postgres", by)
        self._process.wait()

    def _do(self, program: str, *arguments: str) -> None:
        done = self._host.run(*self._as_owner, str(self._bin / program), *arguments, env=self._env)
        assert done.returncode == 0, done.stderr
