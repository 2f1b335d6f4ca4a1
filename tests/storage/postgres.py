"""A real PostgreSQL server for the tests: Debian's or whichever lies on the path, never run as root."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
from pathlib import Path


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL server here, or None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class Server:
    """A PostgreSQL server on a free port of this machine, with a superuser ``tuner``.

    Args:
        programs: The folder of its programs.
        folder: An empty folder for its files, which every user may reach; given to the user it runs as.
        fsync: Whether it waits for the disk.
    """

    def __init__(self, programs: Path, folder: Path, *, fsync: bool = False) -> None:
        self._programs, self._data = programs, folder / "data"
        self.password = secrets.token_hex(8)
        self._user: str | None = None
        secret = folder / "password"
        secret.write_text(self.password)
        if os.geteuid() == 0:  # the server refuses root
            self._user = "postgres"
            owner = pwd.getpwnam(self._user)
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._call("initdb", "-D", str(self._data), "-U", "tuner", "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"\nport = {self.port}\nlisten_addresses = '127.0.0.1'\nfsync = {'on' if fsync else 'off'}\n"
            )
            settings.write(f"unix_socket_directories = '{folder}'\n")
        self.start()

    def url(self, database: str) -> str:
        """Of one of its databases."""
        return f"postgresql://tuner:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._call("pg_ctl", "start", "-w", "-D", str(self._data), "-l", str(self._data / "log"))

    def stop(self) -> None:
        """End every session at once and stop."""
        self._call("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self._data))

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self._data.parent,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )
