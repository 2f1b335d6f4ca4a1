"""A controller's process as the holder of a lease, and whether such a holder is known to be dead.

A holder calls itself, for example ``lab7 process 4711 (boot 3f9c21d04be8, pids 4026531836, start 90210, lease
5e0c2a19)``. *boot* is the id that the kernel gave itself as it started, *pids* the namespace in which the process has
its number, *start* the moment it started, in the kernel's ticks: only where all of them agree do two numbers of
processes mean the same process. *lease* is drawn anew for each lease.

Where ``/proc`` does not tell them (on macOS, say), a holder is just ``lab7 process 4711``, and never called dead.
"""

import os
import re
import secrets
import socket
from pathlib import Path

_HOLDER = re.compile(r"(?P<host>.+) process (?P<pid>\d+) \((?P<space>boot \w+, pids \d+), start (?P<start>\d+), .*\)")


def new_holder() -> str:
    """This process as the holder of a new lease, unlike any other holder."""
    process = f"{socket.gethostname()} process {os.getpid()}"
    space, start = _space(), _start(os.getpid())
    lease = f"lease {secrets.token_hex(4)}"
    return f"{process} ({lease})" if space is None or start is None else f"{process} ({space}, start {start}, {lease})"


def is_dead(holder: str) -> bool:
    """Whether a holder was a process of this very kernel and namespace that is gone; false where in doubt."""
    match = _HOLDER.fullmatch(holder)
    if match is None or (match["host"], match["space"]) != (socket.gethostname(), _space()):
        return False
    pid = int(match["pid"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is another user's, and /proc may hide when it started
    start = _start(pid)
    return start is not None and start != int(match["start"])


def _space() -> str | None:
    """The kernel's run and the namespace of this process's number, or None where they are not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", "")[:12]
        pids = Path("/proc/self/ns/pid").stat().st_ino
        ours = int(str(Path("/proc/self").readlink())) == os.getpid()  # else /proc is that of another namespace
    except (OSError, ValueError):
        return None
    return f"boot {boot}, pids {pids}" if ours else None


def _start(pid: int) -> int | None:
    """When a process started, in ticks since the kernel did; None where it is not known (proc(5), stat, field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])
