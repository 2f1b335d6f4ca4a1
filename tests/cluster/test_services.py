"""The very commands of docker-compose.yml, each on a host of its own, serve a job from submit to export."""

import pytest

from tests.cluster.compose import ROOT, fill, services


def test_a_variable_that_must_be_set_says_how() -> None:
    with pytest.raises(KeyError, match="set POSTGRES_PASSWORD"):
        fill((ROOT / "docker-compose.yml").read_text(), {"DATA_DIR": "/data", "RAY_AUTH_TOKEN": "x"})


def test_defaults_hold_unless_set() -> None:
    given = {"DATA_DIR": "/data", "RAY_AUTH_TOKEN": "x", "POSTGRES_PASSWORD": "y", "TUNER_TOKEN": "z"}
    assert "--num-cpus=2" in services(given)["worker"].command
    assert "--num-cpus=7" in services(given | {"WORKER_CPUS": "7"})["worker"].command
