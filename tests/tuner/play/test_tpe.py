"""What Optuna suggests: new arms only, and the same ones again for the same seed and answers."""

import math
from dataclasses import astuple

import pytest

from tracer import Alpha, Settings, TraceConfig
from tuner.play.tpe import Suggestions
from tuner.spec.grid import Grid, make_grid

FIVE = [0.0, 0.25, 0.5, 0.75, 1.0]
BEST = Alpha(1.0, 0.25, 0.5)


def grid(values: list[float] = FIVE) -> Grid:
    return make_grid(dict.fromkeys(("cur", "suc", "pre"), values), Settings(config=TraceConfig(location="peak")))


def triples(grid: Grid) -> list[tuple[float, ...]]:
    return [astuple(settings.alpha) for settings in grid.arms.settings]


def search(seed: int, trials: int, batch: int = 4) -> list[tuple[float, ...]]:
    """The weights suggested where the mean falls with the distance from the best one."""
    choices = grid()
    suggestions = Suggestions(choices, (seed, 1))
    tried: list[int] = []
    while len(tried) < trials and (arms := suggestions.propose(min(batch, trials - len(tried)))):
        tried += arms
        suggestions.tell({arm: 1 - math.dist(triples(choices)[arm], astuple(BEST)) / 2 for arm in arms})
    return [triples(choices)[arm] for arm in tried]


@pytest.mark.parametrize("seed", range(3))
def test_no_arm_is_suggested_twice_and_in_the_end_all_were(seed: int) -> None:
    found = search(seed, 10_000)
    assert len(found) == len(set(found)) == len(triples(grid()))


def test_the_base_comes_first() -> None:
    assert search(0, 4)[0] == (1.0, 1.0, 1.0)


def test_the_same_seed_and_answers_bring_the_same_suggestions() -> None:
    assert search(5, 30) == search(5, 30)
    assert search(5, 30) != search(6, 30)


def test_better_regions_are_tried_more_often_than_by_chance() -> None:
    near = sorted(triples(grid()), key=lambda triple: math.dist(triple, astuple(BEST)))[:5]
    found = sum(len(set(search(seed, 30)) & set(near)) for seed in range(10)) / 10
    by_chance = 5 * 30 / len(triples(grid()))
    assert found > 1.2 * by_chance


def test_a_grid_of_one_arm_ends_after_it() -> None:
    suggestions = Suggestions(grid([1.0]), (0, 1))
    assert suggestions.propose(4) == (0,)
    suggestions.tell({0: 0.5})
    assert suggestions.propose(4) == ()
