"""The scorer of a job, made from the network that the job says."""

from pathlib import Path

import numpy as np
import pytest

from tests.tuner.fakes import make_dataset, make_spec
from tracer import load_model
from tuner.errors import ChangedError
from tuner.workers.identity import Identity
from tuner.workers.scoring import make_scorer

FACTORY = """
import torch

def make():
    torch.manual_seed({seed})
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
"""


@pytest.fixture
def architecture(tmp_path: Path) -> str:
    """A function of the user's own, which loads its own parameters: there is no checkpoint whose file has a hash."""
    (tmp_path / "nets.py").write_text(FACTORY.format(seed=0))
    return f"{tmp_path}/nets.py:make"


def test_a_network_with_the_parameters_of_the_job_scores(architecture: str) -> None:
    spec, expected = make_spec(architecture=architecture), Identity(load_model(architecture).parameters_sha256)
    scores = make_scorer(spec, make_dataset(2), "cpu", expected).score(1, [spec.settings])
    assert scores.shape == (1,)
    assert np.isfinite(scores).all()


def test_a_network_with_other_parameters_than_the_job_began_with_is_refused(architecture: str) -> None:
    spec, expected = make_spec(architecture=architecture), Identity(load_model(architecture).parameters_sha256)
    Path(architecture.partition(":")[0]).write_text(FACTORY.format(seed=1))
    with pytest.raises(ChangedError, match=r"nets.py:make are not those that the job began with \(sha256 \w{12}, not"):
        make_scorer(spec, make_dataset(2), "cpu", expected)
