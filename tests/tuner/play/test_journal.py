import os
import socket
import subprocess
import sys

from tuner.play.journal import is_dead, owner


def test_this_process_lives() -> None:
    assert not is_dead(owner())


def test_a_process_that_ended_on_this_machine_is_dead() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert is_dead(f"{socket.gethostname()} process {gone.pid}")


def test_of_another_machine_nothing_is_known() -> None:
    assert not is_dead(f"elsewhere process {os.getpid()}")
    assert not is_dead("somebody")
