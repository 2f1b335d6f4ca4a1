import math

import numpy as np
import pytest

from tuner.policies import interval


def kept(successes: int, pulls: int, images: int, confidence: float) -> list[int]:
    """The prior-posterior ratio of every possible number of successes of the pool, by the definition."""
    prior = 1 / (images + 1)
    ways = [math.comb(m, successes) * math.comb(images - m, pulls - successes) for m in range(images + 1)]
    return [m for m, way in enumerate(ways) if way and prior / (way / sum(ways)) < 1 / (1 - confidence)]


@pytest.mark.parametrize("images", [1, 2, 7, 30])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_an_interval_on_a_pool_is_the_prior_posterior_ratio_by_its_definition(images: int, confidence: float) -> None:
    for pulls in range(1, images + 1):
        for successes in range(pulls + 1):
            values = kept(successes, pulls, images, confidence)
            low, high = interval(successes, pulls, images=images, confidence=confidence)
            assert values == list(range(values[0], values[-1] + 1))
            assert (low * images, high * images) == pytest.approx((values[0], values[-1]))


def test_an_interval_closes_to_a_point_when_the_whole_pool_was_seen() -> None:
    assert interval(123, 400, images=400) == (123 / 400, 123 / 400)
    assert interval(0, 400, images=400) == (0, 0)


def test_without_a_pull_nothing_is_known() -> None:
    assert interval(0, 0) == (0, 1)
    assert interval(0, 0, images=5) == (0, 1)


@pytest.mark.parametrize(("successes", "pulls"), [(0, 20), (20, 20), (3, 20), (0, 1), (500, 1000)])
def test_an_interval_ends_where_the_mixture_is_twenty_times_likelier(successes: int, pulls: int) -> None:
    low, high = interval(successes, pulls)
    failures = pulls - successes
    mixture = math.lgamma(successes + 1) + math.lgamma(failures + 1) - math.lgamma(pulls + 2)
    assert low <= successes / pulls <= high
    for end in {low, high} - {0.0, 1.0}:
        likelihood = successes * math.log(end) + failures * math.log(1 - end)
        assert mixture - likelihood == pytest.approx(math.log(20), abs=1e-4)
    if successes == 0:
        assert low == pytest.approx(0, abs=1e-8)
    if failures == 0:
        assert high == pytest.approx(1, abs=1e-8)


def test_a_large_pool_is_as_good_as_an_endless_one() -> None:
    assert interval(30, 100, images=10**8) == pytest.approx(interval(30, 100), abs=1e-5)


@pytest.mark.parametrize("images", [None, 100])
def test_an_interval_covers_the_mean_at_every_moment_of_nearly_all_runs(images: int | None) -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(150):
        rewards = rng.permutation(100) < 35 if images else rng.random(100) < 0.35
        totals = np.cumsum(rewards).tolist()
        ends = [interval(s, n, images=images, confidence=0.9) for n, s in enumerate(totals, 1)]
        missed += any(not low <= 0.35 <= high for low, high in ends)
    assert missed <= 150 * 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 2), "impossible"), ((-1, 2), "impossible")],
)
def test_impossible_counts_are_refused(arguments: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        interval(*arguments)
    with pytest.raises(ValueError, match="each image is pulled once"):
        interval(1, 3, images=2)
    with pytest.raises(ValueError, match="confidence"):
        interval(1, 3, confidence=1.0)
