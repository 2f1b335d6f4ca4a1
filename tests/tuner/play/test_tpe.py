"""What Optuna suggests: new triples only, and the same ones again for the same seed and answers."""

import math

import pytest

from storage.rows import Triple
from tuner.play.grid import Grid, make_grid
from tuner.play.tpe import Suggestions

FIVE = [0.0, 0.25, 0.5, 0.75, 1.0]
BEST = Triple(1.0, 0.25, 0.5)


def grid(values: list[float] = FIVE) -> Grid:
    return make_grid([values] * 3, Triple(1.0, 1.0, 1.0), "excess")


def search(seed: int, trials: int, batch: int = 4) -> list[Triple]:
    """The triples suggested where the mean falls with the distance from the best one."""
    choices = grid()
    suggestions = Suggestions(choices, (seed, 1))
    tried: list[int] = []
    while len(tried) < trials and (arms := suggestions.next(min(batch, trials - len(tried)))):
        tried += arms
        suggestions.tell({arm: 1 - math.dist(choices.triples[arm], BEST) / 2 for arm in arms})
    return [choices.triples[arm] for arm in tried]


@pytest.mark.parametrize("seed", range(3))
def test_no_triple_is_suggested_twice_and_in_the_end_all_were(seed: int) -> None:
    triples = search(seed, 10_000)
    assert len(triples) == len(set(triples)) == len(grid().triples)


def test_the_base_comes_first() -> None:
    assert search(0, 4)[0] == Triple(1.0, 1.0, 1.0)


def test_the_same_seed_and_answers_bring_the_same_suggestions() -> None:
    assert search(5, 30) == search(5, 30)
    assert search(5, 30) != search(6, 30)


def test_better_regions_are_tried_more_often_than_by_chance() -> None:
    near = sorted(grid().triples, key=lambda triple: math.dist(triple, BEST))[:5]
    found = sum(len(set(search(seed, 30)) & set(near)) for seed in range(10)) / 10
    by_chance = 5 * 30 / len(grid().triples)
    assert found > 1.2 * by_chance


def test_a_grid_of_one_triple_ends_after_it() -> None:
    suggestions = Suggestions(grid([1.0]), (0, 1))
    assert suggestions.next(4) == (0,)
    suggestions.tell({0: 0.5})
    assert suggestions.next(4) == ()
