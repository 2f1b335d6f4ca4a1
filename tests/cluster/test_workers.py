"""Workers as Ray actors on a cluster whose nodes come and go: nothing is lost, nobody waits for the dead."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracer import Alpha
from tuner.errors import ChangedError, WorkerError
from tuner.spec.job import JobSpec
from tuner.workers.identity import Identity
from tuner.workers.pool import Answer, Failed, Lost, Scored, Task

ray = pytest.importorskip("ray")

ALPHAS = (Alpha(), Alpha(cur=0.5))


class FakeWorker:
    """Scores image i as i/1000; what else it does on an image is written in a file, once per line of the script.

    The script's lines are ``IMAGE sleep|die``; each happens the first time only.
    """

    def __init__(self, spec: JobSpec, dataset: Any, identity: Identity | None = None) -> None:
        self._script: dict[int, str] = dataset["script"]
        self._folder = Path(dataset["folder"])
        (self._folder / f"pid-{os.getpid()}").touch()
        if dataset.get("broken"):
            raise RuntimeError("no such checkpoint")
        if identity not in (None, Identity("the same" if not list(self._folder.glob("done-*")) else "others")):
            raise ChangedError("the parameters of resnet18 are not those that the job began with")

    def ready(self) -> bool:
        return True

    def score(self, task: Task) -> Answer:
        act = self._script.get(task.image)
        if act and not (self._folder / f"done-{task.image}").exists():
            (self._folder / f"done-{task.image}").touch()
            if act == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(3600)
        time.sleep(0.02)
        return Scored(task, np.full(len(task.settings), task.image / 1000))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 80_000_000})
    made.add_node(num_cpus=1, object_store_memory=80_000_000)
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.workers.actors.LOOK", 0.2)


def spec(**workers: Any) -> JobSpec:
    return JobSpec.model_validate(
        {"name": "job", "architecture": "resnet18", "dataset": {"kind": "digits"}, "workers": workers}
    )


def make(tmp_path: Path, *, script: dict[int, str] | None = None, broken: bool = False, **workers: Any) -> Any:
    from tuner.workers.actors import RayPool

    return RayPool(spec(**workers), {"script": script or {}, "folder": str(tmp_path), "broken": broken}, FakeWorker)


def drain(pool: Any, tasks: list[Task], *, seconds: float = 60) -> list[Answer]:
    """Submit tasks, then again whatever was lost or failed, until each is scored; every answer in its order."""
    answers: list[Answer] = []
    for task in tasks:
        pool.submit(task)
    deadline = time.monotonic() + seconds
    while sum(isinstance(answer, Scored) for answer in answers) < len(tasks):
        assert time.monotonic() < deadline, f"only {answers}"
        for answer in pool.collect(0.2):
            answers.append(answer)
            if not isinstance(answer, Scored):
                pool.submit(answer.task)
    return answers


def tasks(number: int) -> list[Task]:
    return [Task(position, position, ALPHAS) for position in range(number)]


def check(answers: list[Answer], number: int) -> None:
    """Every task is scored once, rightly."""
    scored = {a.task.position: a.values.tolist() for a in answers if isinstance(a, Scored)}
    assert len([a for a in answers if isinstance(a, Scored)]) == number
    assert scored == {position: [position / 1000] * 2 for position in range(number)}


def test_every_task_is_scored_once(cluster: Any, tmp_path: Path) -> None:
    pool = make(tmp_path)
    assert pool.workers == 1
    answers = drain(pool, tasks(20))
    check(answers, 20)
    assert len(answers) == 20
    pool.close()


def test_a_worker_that_dies_loses_one_image_and_is_replaced(cluster: Any, tmp_path: Path) -> None:
    pool = make(tmp_path, script={3: "die", 9: "die"})
    answers = drain(pool, tasks(20))
    check(answers, 20)
    lost = [answer for answer in answers if isinstance(answer, Lost)]
    assert len(lost) == len(answers) - 20 == 2
    assert all("worker process has died" in answer.reason for answer in lost)
    assert len(list(tmp_path.glob("pid-*"))) == 3
    pool.close()


def test_a_worker_that_hangs_is_replaced_and_its_image_has_failed(cluster: Any, tmp_path: Path) -> None:
    pool = make(tmp_path, script={5: "sleep"}, timeout=1.0)
    answers = drain(pool, tasks(10))
    check(answers, 10)
    failed = [answer for answer in answers if not isinstance(answer, Scored)]
    assert [(type(answer), answer.task.position) for answer in failed] == [(Failed, 5)]
    assert failed[0].reason == "no answer within 1 seconds"
    pool.close()


def test_answers_that_wait_for_a_controller_that_was_away_are_taken(cluster: Any, tmp_path: Path) -> None:
    """It was stopped by Ctrl-Z, or waited for its database, for longer than a worker may take over an image."""
    pool = make(tmp_path, timeout=1.0)
    answers = drain(pool, tasks(1))
    for task in tasks(4)[1:]:
        pool.submit(task)
    time.sleep(2.0)
    while len(answers) < 4:
        answers += pool.collect(0.2)
    check(answers, 4)
    assert len(list(tmp_path.glob("pid-*"))) == 1
    pool.close()


@pytest.mark.slow
def test_workers_follow_nodes_that_join_and_leave(cluster: Any, tmp_path: Path, quick: None) -> None:
    pool = make(tmp_path)
    node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    wait_for(pool, 2)
    while len(list(tmp_path.glob("pid-*"))) < 2:
        check(drain(pool, tasks(20)), 20)
    leaving = threading.Timer(0.5, cluster.remove_node, [node], {"allow_graceful": False})
    leaving.start()
    deadline = time.monotonic() + 60
    while leaving.is_alive() or pool.workers != 1:  # a worker that has gone is noticed when something is asked of it
        assert time.monotonic() < deadline, pool.workers
        check(drain(pool, tasks(20)), 20)
    pool.close()


def wait_for(pool: Any, workers: int) -> None:
    deadline = time.monotonic() + 30
    while pool.workers != workers:
        assert time.monotonic() < deadline, pool.workers
        pool.collect(0.2)


def test_a_worker_that_cannot_start_says_why(cluster: Any, tmp_path: Path) -> None:
    pool = make(tmp_path, broken=True)
    with pytest.raises(WorkerError, match=r"a worker cannot start: .*no such checkpoint"):
        drain(pool, tasks(1))
    pool.close()


def test_a_worker_that_is_replaced_in_mid_run_by_one_with_other_parameters_stops_the_job(
    cluster: Any, tmp_path: Path
) -> None:
    """The checkpoint was overwritten meanwhile: what the first worker scored stands, the second scores nothing."""
    from tuner.workers.actors import RayPool

    dataset = {"script": {5: "die"}, "folder": str(tmp_path)}
    pool = RayPool(spec(), dataset, FakeWorker, identity=Identity("the same"))  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match=r"a worker cannot start: .*parameters of resnet18 are not those that the"):
        drain(pool, tasks(20))
    pool.close()


def test_a_worker_that_fits_no_node_is_refused(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no node of the cluster has room for a worker of 3 CPUs and 0 GPUs"):
        make(tmp_path, cpus=3)
