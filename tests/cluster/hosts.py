"""Hosts on one machine: each a network namespace with an address, a name the others know, and its own ports.

What runs on a host runs as it would on a machine of its own: the same ports on every host, and a host can lose its
power (every process in it killed) or its cable. Making namespaces takes root; tests skip, saying so, where it fails.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType

IP = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
RESOLVERS = Path("/etc/netns")  # `ip netns exec` shows a namespace the files that lie here under its name


def obstacle() -> str | None:
    """Why hosts cannot be made here, or None if they can."""
    if IP is None:
        return "no `ip` command (iproute2)"
    if os.geteuid() != 0:
        return "network namespaces take root"
    probe = subprocess.run([IP, "netns", "add", f"probe{os.getpid()}"], capture_output=True, text=True, check=False)
    if probe.returncode:
        return f"no network namespaces here: {probe.stderr.strip()}"
    _ip("netns", "delete", f"probe{os.getpid()}")
    return None


def _ip(*arguments: str) -> str:
    assert IP is not None
    return subprocess.run([IP, *arguments], check=True, capture_output=True, text=True).stdout


class Host:
    """A machine on the network, by name."""

    def __init__(self, name: str, namespace: str, address: str, logs: Path) -> None:
        self.name, self.namespace, self.address = name, namespace, address
        self._logs = logs
        self._started: list[subprocess.Popen[bytes]] = []

    def command(self, *command: str) -> list[str]:
        """The command line that runs ``command`` on this host."""
        assert IP is not None
        return [IP, "netns", "exec", self.namespace, *command]

    def start(self, *command: str, env: dict[str, str], log: str | None = None) -> subprocess.Popen[bytes]:
        """Start a lasting process; what it writes goes to ``log`` (default: the host's name)."""
        with (self._logs / f"{log or self.name}.log").open("ab") as output:
            process = subprocess.Popen(
                self.command(*command), env=env, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        self._started.append(process)
        return process

    def run(self, *command: str, env: dict[str, str], timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its status is the caller's to judge."""
        return subprocess.run(
            self.command(*command),
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def pids(self) -> dict[int, str]:
        """Every process on the host, with its command line."""
        found = {}
        for pid in map(int, _ip("netns", "pids", self.namespace).split()):
            try:
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except FileNotFoundError:
                continue  # it ended between the two looks
        return found

    def kill(self, having: str = "", by: signal.Signals = signal.SIGKILL) -> list[int]:
        """Send a signal to every process whose command line has a text (default: to all of them)."""
        hit = [pid for pid, line in self.pids().items() if having in line]
        for pid in hit:
            try:
                os.kill(pid, by)
            except ProcessLookupError:
                continue
        return hit

    def power_off(self) -> None:
        """Kill all that runs here, and what it starts meanwhile."""
        while self.kill():
            pass
        for process in self._started:
            process.wait()
        self._started.clear()

    def unplug(self) -> None:
        """Cut the network; processes go on."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def plug(self) -> None:
        """Give it the network (again)."""
        for device in ("lo", "eth0"):
            _ip("-n", self.namespace, "link", "set", device, "up")
        _ip("-n", self.namespace, "route", "replace", "default", "dev", "eth0")


class Network:
    """Hosts that reach one another by name, and nothing else.

    Args:
        names: Of the hosts.
        logs: Folder for what their processes write.
    """

    def __init__(self, names: list[str], logs: Path) -> None:
        self._prefix = f"bt{os.getpid()}"
        self._switch = f"{self._prefix}-switch"
        self.hosts = {
            name: Host(name, f"{self._prefix}-{name}", f"10.77.0.{number}", logs)
            for number, name in enumerate(names, 1)
        }

    def __enter__(self) -> "Network":
        try:
            self._plug()
        except BaseException:
            self._unmake()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unmake()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def _plug(self) -> None:
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        known = "127.0.0.1 localhost\n" + "".join(f"{host.address} {host.name}\n" for host in self.hosts.values())
        for number, host in enumerate(self.hosts.values()):
            _ip("netns", "add", host.namespace)
            folder = RESOLVERS / host.namespace
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(known)
            (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # refused at once: no name is asked outside
            _ip(
                "-n",
                self._switch,
                "link",
                "add",
                f"port{number}",
                "type",
                "veth",
                "peer",
                "eth0",
                "netns",
                host.namespace,
            )
            _ip("-n", self._switch, "link", "set", f"port{number}", "master", "bridge", "up")
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            host.plug()

    def _unmake(self) -> None:
        made = set(_ip("netns", "list").split())
        for host in self.hosts.values():
            if host.namespace in made:
                host.power_off()
                _ip("netns", "delete", host.namespace)
            shutil.rmtree(RESOLVERS / host.namespace, ignore_errors=True)
        if self._switch in made:
            _ip("netns", "delete", self._switch)
