"""Results come in order, ahead of their taker, and an error comes after what lies before it."""

import threading
from collections.abc import Iterator

import pytest

from tracer.ahead import batches, map_ahead


def failing_after(count: int) -> Iterator[int]:
    yield from range(count)
    raise LookupError("no more")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_results_are_in_order(threads: int, count: int) -> None:
    assert list(map_ahead(lambda number: number * 2, range(count), threads, 4)) == [2 * each for each in range(count)]


def test_no_more_items_are_taken_than_may_wait() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_ahead(lambda number: number, items(), 2, 5)
    for number in range(10):
        assert next(results) == number
        assert len(taken) <= number + 6


def test_an_error_of_the_items_comes_after_the_results_before_it() -> None:
    found: list[int] = []
    with pytest.raises(LookupError):
        found.extend(map_ahead(lambda number: number, failing_after(3), 2, 2))
    assert found == [0, 1, 2]


def test_an_error_of_the_function_comes_in_its_place() -> None:
    found: list[float] = []
    with pytest.raises(ZeroDivisionError):
        found.extend(map_ahead(lambda number: 1 / number, [1, 2, 0, 4], 2, 4))
    assert found == [1, 0.5]


def test_threads_end_with_whoever_stops_early() -> None:
    before = threading.active_count()
    results = map_ahead(lambda number: number, range(1000), 3, 9)
    next(results)
    results.close()
    assert threading.active_count() == before


def test_batches_are_whole_but_for_the_last_one_and_before_an_error() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches([], 2)) == []
    found: list[list[int]] = []
    with pytest.raises(LookupError):
        found.extend(batches(failing_after(3), 2))
    assert found == [[0, 1], [2]]
