"""Who holds a lease, and when its process is known to be dead: never on doubt."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.play import holder
from tuner.play.holder import is_dead, new_holder

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells when a process started")


def gone() -> str:
    """A holder that was a process of this machine and has ended."""
    code = "from tuner.play.holder import new_holder; print(new_holder())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_this_process_lives_and_each_lease_is_its_own() -> None:
    first, second = new_holder(), new_holder()
    assert not is_dead(first)
    assert first != second


@linux
def test_a_process_that_ended_on_this_machine_is_dead() -> None:
    assert is_dead(gone())


@linux
def test_a_number_that_was_given_to_another_process_since_is_dead() -> None:
    earlier = re.sub(r"start \d+", "start 1", new_holder())
    assert is_dead(earlier)


@linux
@pytest.mark.parametrize(
    ("part", "other"),
    [
        (r"^\S+", "elsewhere"),
        (r"boot \w+", "boot 000000000000"),  # another machine of the same name, or this one before it was restarted
        (r"pids \d+", "pids 1"),  # another container on the same machine, of the same host name
        (r"start \d+, ", ""),
        (r" \(.*", ""),
    ],
)
def test_of_another_machine_or_container_nothing_is_known(part: str, other: str) -> None:
    changed = re.sub(part, other, gone())
    assert changed != gone()
    assert not is_dead(changed)
    assert not is_dead("somebody")


@linux
def test_a_live_process_in_another_container_is_not_taken_for_dead() -> None:
    """Its number is nobody's here, its host name is ours."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c"]
    code = "from tuner.play.holder import new_holder; print(new_holder(), flush=True); input()"
    with subprocess.Popen(
        [*command, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as other:
        assert other.stdout
        assert other.stdin
        held = other.stdout.readline().strip()
        if not held:
            pytest.skip("no namespaces may be made here")
        assert re.sub(r"process \d+", "", held) != re.sub(r"process \d+", "", new_holder())
        assert not is_dead(re.sub(r"process \d+", "process 4194303", held))
        other.stdin.close()


def test_without_proc_nobody_is_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = gone()
    monkeypatch.setattr(holder, "_space", lambda: None)
    assert re.fullmatch(rf"\S+ process {os.getpid()} \(lease \w+\)", new_holder())
    assert not is_dead(new_holder())
    assert not is_dead(ended)
