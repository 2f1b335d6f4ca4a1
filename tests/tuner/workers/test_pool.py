import numpy as np
from numpy.typing import NDArray

from tracer import Alpha, Settings
from tuner.workers.pool import Failed, Scored, SerialPool, Task, attempt

SETTINGS = (Settings(Alpha(1, 1, 0)), Settings(Alpha(1, 1, 1)))


class Thirds:
    """Scores image i with i / 3 for all settings; image 2 is broken."""

    def score(self, image: int, settings: tuple[Settings, ...]) -> NDArray[np.float64]:
        if image == 2:
            raise OSError("truncated file\nsecond line")
        return np.full(len(settings), image / 3)


def test_a_serial_pool_answers_the_oldest_task_first() -> None:
    pool = SerialPool(Thirds())
    tasks = [Task(0, 1, SETTINGS), Task(1, 0, SETTINGS)]
    for task in tasks:
        pool.submit(task)
    (first,), (second,) = pool.collect(0), pool.collect(0)
    assert isinstance(first, Scored)
    assert first.task == tasks[0]
    np.testing.assert_array_equal(first.values, [1 / 3, 1 / 3])
    assert second.task == tasks[1]
    assert pool.collect(0) == []


def test_a_closed_serial_pool_drops_its_tasks() -> None:
    pool = SerialPool(Thirds())
    pool.submit(Task(0, 1, SETTINGS))
    pool.close()
    assert pool.collect(0) == []


def test_an_exception_becomes_a_failure_of_one_line() -> None:
    task = Task(5, 2, SETTINGS)
    assert attempt(Thirds(), task) == Failed(task, "OSError: truncated file")
