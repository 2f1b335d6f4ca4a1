"""Ray that does not start."""

from typing import Any

import pytest
import ray

from tuner.errors import WorkerError
from tuner.spec.job import JobSpec
from tuner.workers.actors import start_ray

SPEC = JobSpec.model_validate({"name": "mine", "architecture": "resnet18", "dataset": {"kind": "digits"}})


@pytest.mark.parametrize("address", [None, "10.0.0.1:6379"])
def test_ray_that_does_not_start_is_told_in_one_line_with_where_and_the_mend(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    def init(**_: Any) -> None:
        raise RuntimeError("The node timed out during startup. This could have happened because of many things.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    place, mend = "on this machine", "try again"
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
        place, mend = f"at RAY_ADDRESS={address}", "unset RAY_ADDRESS"
    with pytest.raises(WorkerError) as caught:
        start_ray(SPEC)
    told = str(caught.value)
    assert told.startswith(f"Ray does not start {place}: The node timed out during startup; ")
    assert mend in told
    assert "\n" not in told
