"""The order of candidates."""

import pytest

from storage.models import Candidate
from tuner.results.order import natural


@pytest.mark.parametrize(
    ("setting", "ordered"),
    [
        ("depth", ["last 32", 32, 16, 8, 4, "image", "layer3"]),
        ("cut", [0.1, 0.2, 1, "mass 0.6", "mass 0.8"]),
        ("convolution", [1, 10, "mass 0.5", "positive"]),
        ("joint", [{"depth": 8, "cut": 0.2}, {"depth": 8, "cut": "mass 0.6"}, {"depth": "image", "cut": 0.1}]),
    ],
)
def test_candidates_stand_in_the_order_that_people_expect(setting: str, ordered: list[Candidate]) -> None:
    shuffled = [*ordered[1::2], *ordered[::2]]
    assert sorted(shuffled, key=lambda candidate: natural(setting, candidate)) == ordered


def test_words_without_a_number_keep_the_order_of_the_job_file() -> None:
    assert sorted(["peak", "field", "center"], key=lambda value: natural("location", value))[0] == "peak"
