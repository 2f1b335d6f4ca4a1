"""The controller on the cluster, before it starts."""

import pytest
from click.testing import CliRunner

from storage.errors import LeaseHeldError
from tuner.cli import cluster, main


def test_a_controller_waits_for_a_lease_by_the_databases_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this machine, wrong by any amount, has no say."""
    attempts, waited = [], []

    def drive(*arguments: object) -> str:
        attempts.append(arguments)
        if len(attempts) == 1:
            raise LeaseHeldError("job 'x' is run by head process 7", owner="head process 7", epoch=3, seconds=12.5)
        return "decided"

    monkeypatch.setattr(cluster, "_drive", drive)
    monkeypatch.setattr(cluster.time, "sleep", waited.append)
    monkeypatch.setenv("TUNER_STORAGE", "postgresql://user@host/name")
    result = CliRunner().invoke(main, ["drive", "--resume", "x"])
    assert result.exit_code == 0, result.output
    assert len(attempts) == 2
    assert waited == [13.5]
