"""Work on a stream of items that runs ahead of who takes the results: in order, and in bounded memory.

An error comes where the result would stand that it keeps from coming: what lies before it is delivered.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 1, ahead: int = 2
) -> Iterator[Result]:
    """The results of a function, in the order of the items, computed in threads while earlier ones are used.

    Args:
        function: What is done with an item.
        items: Taken one by one, in the caller's thread.
        threads: How many work at once, at least 1.
        ahead: How many results may wait or be in work, at least 1.
    """
    pool = ThreadPoolExecutor(threads)
    source = _Source(items)
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in source.take(ahead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in source.take(1))
            yield result
        source.raise_error()
    finally:
        pool.shutdown(cancel_futures=True)


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``, the last one shorter."""
    source = _Source(items)
    while batch := list(source.take(size)):
        yield batch
    source.raise_error()


class _Source(Generic[Item]):
    """Items of which an error is kept until it is asked for."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._error: Exception | None = None

    def take(self, count: int) -> Iterator[Item]:
        """The next items, fewer than ``count`` where they end or fail."""
        if self._error is None:
            try:
                yield from islice(self._items, count)
            except Exception as error:  # raised again by raise_error
                self._error = error

    def raise_error(self) -> None:
        """Raise what the items failed with, if they did."""
        if self._error is not None:
            raise self._error
