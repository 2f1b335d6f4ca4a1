"""Krippendorff's α against his published example, and at its ends."""

import math

import numpy as np
import pytest

from experiments.trust.agreement import Level, alpha

_ = math.nan
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)
"""Four observers, twelve units (Krippendorff, Computing Krippendorff's Alpha-Reliability, section C)."""


@pytest.mark.parametrize(
    ("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_the_published_example_comes_out(level: Level, value: float) -> None:
    assert alpha(PUBLISHED, level) == pytest.approx(value, abs=0.0005)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_full_agreement_is_one_and_chance_is_near_nought(level: Level) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(1, 6, 40).astype(float)
    assert alpha(np.stack([truth] * 3), level) == pytest.approx(1)
    assert abs(alpha(random.integers(1, 6, (6, 2000)).astype(float), level)) < 0.02


@pytest.mark.parametrize("ratings", [np.full((3, 4), 2.0), np.array([[1, _], [_, 2]]), np.empty((0, 4))])
def test_without_pairs_or_without_differing_values_it_is_not_defined(ratings: np.ndarray) -> None:
    assert math.isnan(alpha(ratings, "ordinal"))


def test_ranks_alone_matter_to_the_ordinal_one() -> None:
    assert alpha(np.exp(PUBLISHED), "ordinal") == pytest.approx(alpha(PUBLISHED, "ordinal"))
    assert alpha(np.exp(PUBLISHED), "interval") != pytest.approx(alpha(PUBLISHED, "interval"))
