"""Workers on Ray: the project's only actors. Each holds the network and scores images."""

import logging
import math
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import ray
import ray.exceptions

from tuner.datasets import Dataset
from tuner.errors import WorkerError
from tuner.spec.job import JobSpec, WorkersSpec
from tuner.workers.identity import Identity
from tuner.workers.pool import Answer, Failed, Lost, Scores, Task, attempt

logger = logging.getLogger(__name__)

QUEUE = 2
"""Tasks at an actor: the one it traces and the next, whose image it decodes meanwhile."""
LOOK = 5.0
"""Seconds between looks at the size of the cluster."""
FALSE_STARTS = 10
"""Workers lost in a row before any was ready: then something keeps them from starting."""


def start_ray(spec: JobSpec) -> None:
    """Connect to the cluster named by ``RAY_ADDRESS``, or start Ray in place: quiet, without its dashboard.

    Raises:
        WorkerError: If Ray does not answer.
    """
    if ray.is_initialized():
        return
    asked: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS")
    if address:
        asked |= {"address": address}
        there, mend = f"at RAY_ADDRESS={address}", "start its head, or unset RAY_ADDRESS to run here"
    else:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        cpus = os.cpu_count() or 1
        if spec.workers.count != "auto":
            cpus = max(cpus, math.ceil(spec.workers.count * spec.workers.cpus))
        asked |= {"address": "local", "num_cpus": cpus, "object_store_memory": 256 * 2**20, "include_dashboard": False}
        there, mend = "on this machine", "if it is busy, try again"
    try:
        ray.init(**asked)
    except Exception as error:  # of many kinds, as of a machine so busy that its processes came too late
        raise WorkerError(f"Ray does not start {there}: {_reason(error)}; {mend}") from error


class Worker:
    """Holds the network and scores images; made into an actor by :class:`RayPool`.

    Args:
        spec: The job; says network, checkpoint, how to trace and how many threads to use.
        dataset: The job's images.
        identity: What the job began with.

    Raises:
        ChangedError: If network or code are not the same.
    """

    def __init__(self, spec: JobSpec, dataset: Dataset, identity: Identity | None) -> None:
        import torch
        from PIL import Image

        from tuner.workers.scoring import make_scorer

        torch.set_num_threads(max(1, int(spec.workers.cpus)))
        device = "cuda" if spec.workers.gpus > 0 else "cpu"
        scorer = make_scorer(spec, dataset, device, identity)
        grey = Image.new("RGB", (64, 64), "grey")
        scorer.reader.readings([grey], [spec.settings])  # exports and compiles now: seconds that are no image's
        self._scorer: Scores = scorer

    def ready(self) -> bool:
        """Answers once the network is loaded."""
        return True

    def score(self, task: Task) -> Answer:
        """The task, scored or failed."""
        return attempt(self._scorer, task)


@dataclass
class _Member:
    """An actor, and the tasks that lie with it.

    Args:
        actor: Its handle.
        starting: Its word that the network is loaded; None once it has given it.
        tasks: What it was given and has not answered, oldest first: it works on the first.
        since: When it can have begun with the first, by the monotonic clock.
    """

    actor: Any
    starting: "ray.ObjectRef[Any] | None"
    tasks: dict["ray.ObjectRef[Any]", Task] = field(default_factory=dict)
    since: float = 0.0


class RayPool:
    """One Ray actor a worker. One that dies or hangs is replaced; ``count: auto`` follows nodes that join and leave.

    Args:
        spec: The job.
        dataset: Its images; travels once, through the object store.
        worker: The actor's class; made with ``spec``, ``dataset`` and ``identity``.
        identity: What the job began with; every worker compares it with what it loaded.

    Raises:
        WorkerError: If no node has room for a worker.
    """

    def __init__(
        self, spec: JobSpec, dataset: Dataset, worker: type = Worker, *, identity: Identity | None = None
    ) -> None:
        self._wanted = spec.workers
        actor_class: Any = ray.remote(worker)
        self._actor_class = actor_class.options(
            num_cpus=self._wanted.cpus, num_gpus=self._wanted.gpus, max_concurrency=QUEUE, max_restarts=0
        )
        self._arguments = (ray.put(spec), ray.put(dataset), identity)
        self._waiting: deque[Task] = deque()
        self._members: list[_Member] = []
        self._false_starts = 0
        self._looked = -math.inf
        self._size = 0
        if _room(self._wanted) == 0:
            raise WorkerError(
                f"no node of the cluster has room for a worker of {self._wanted.cpus:g} CPUs and {self._wanted.gpus:g} "
                "GPUs: ask for less in workers, or start nodes"
            )
        self._follow()

    @property
    def workers(self) -> int:
        """How many actors there are, those still starting included."""
        return len(self._members)

    def submit(self, task: Task) -> None:
        """Queue a task for the first worker that has room."""
        self._waiting.append(task)
        self._dispatch()

    def collect(self, timeout: float) -> list[Answer]:
        """What came back since the last call.

        Raises:
            WorkerError: If workers cannot start.
        """
        self._follow()
        self._dispatch()
        owners = {reference: member for member in self._members for reference in _awaited(member)}
        if not owners:
            time.sleep(timeout)  # every node left: wait for one to join
            return []
        asked = time.monotonic()
        ray.wait(list(owners), timeout=timeout, fetch_local=False)
        answers: list[Answer] = []
        for reference in ray.wait(list(owners), num_returns=len(owners), timeout=0, fetch_local=False)[0]:
            member = owners[reference]
            if reference == member.starting:
                self._started(member, reference)
            elif reference in member.tasks:  # else its worker is gone, and the task with another one
                answers.append(self._answer(member, reference))
        answers += [self._overdue(member) for member in self._hanging(asked)]
        self._dispatch()
        return answers

    def close(self) -> None:
        """Kill the actors."""
        for member in list(self._members):
            self._drop(member)
        self._waiting.clear()

    def _follow(self) -> None:
        """Have as many actors as the job asks for; looks at the cluster every few seconds."""
        if time.monotonic() - self._looked >= LOOK:
            self._looked = time.monotonic()
            count = self._wanted.count
            size = _room(self._wanted) if count == "auto" else int(count)
            if size != self._size:
                logger.info("room for %d workers, %d before", size, self._size)
            self._size = size
            for member in [m for m in self._members if m.starting][: max(0, len(self._members) - self._size)]:
                self._drop(member)  # waits for a node that left
        for _ in range(self._size - len(self._members)):
            actor = self._actor_class.remote(*self._arguments)
            self._members.append(_Member(actor, actor.ready.remote()))

    def _started(self, member: _Member, word: "ray.ObjectRef[Any]") -> None:
        try:
            ray.get(word)
        except ray.exceptions.RayError as error:
            self._drop(member)
            self._false_starts += 1
            if getattr(error, "actor_init_failed", False) or self._false_starts >= FALSE_STARTS:
                raise WorkerError(f"a worker cannot start: {_reason(error)}") from error
            logger.warning("a worker was lost before it could start: %s", _reason(error))
        else:
            self._false_starts = 0
            member.starting = None

    def _answer(self, member: _Member, reference: "ray.ObjectRef[Any]") -> Answer:
        task = member.tasks[reference]
        try:
            answer: Answer = ray.get(reference)
        except ray.exceptions.RayError as error:
            self._drop(member, task)
            logger.warning("lost the worker of image %d: %s", task.image, _reason(error))
            return Lost(task, _reason(error))
        del member.tasks[reference]
        member.since = time.monotonic()
        return answer

    def _hanging(self, asked: float) -> list[_Member]:
        """The actors whose time was over when they were last asked for answers, and that have given none."""
        limit = asked - self._wanted.timeout
        return [member for member in self._members if member.tasks and member.since < limit]

    def _overdue(self, member: _Member) -> Answer:
        """Give up a worker that hangs; the image it hangs on has failed, for it may be the cause."""
        task = next(iter(member.tasks.values()))
        self._drop(member, task)
        logger.warning("the worker of image %d hangs: replaced", task.image)
        return Failed(task, f"no answer within {self._wanted.timeout:g} seconds")

    def _drop(self, member: _Member, blamed: Task | None = None) -> None:
        """End an actor; what it had beside the task that is blamed goes to another one."""
        self._members.remove(member)
        ray.kill(member.actor)
        self._waiting.extendleft(task for task in reversed(member.tasks.values()) if task is not blamed)
        member.tasks.clear()

    def _dispatch(self) -> None:
        ready = [member for member in self._members if not member.starting]
        for depth in range(QUEUE):  # a task for each worker before any gets its second
            for member in ready:
                if self._waiting and len(member.tasks) == depth:
                    if not member.tasks:
                        member.since = time.monotonic()
                    task = self._waiting.popleft()
                    member.tasks[member.actor.score.remote(task)] = task


def _awaited(member: _Member) -> Iterable["ray.ObjectRef[Any]"]:
    return [member.starting] if member.starting else member.tasks


def _room(wanted: WorkersSpec) -> int:
    """How many workers the nodes have room for, each on one node; other jobs' workers are not counted."""
    room = 0
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        if node["Alive"]:
            offered = node["Resources"]
            room += min(
                int(offered.get(kind, 0.0) / each)
                for kind, each in (("CPU", wanted.cpus), ("GPU", wanted.gpus))
                if each > 0
            )
    return room


def _reason(error: Exception) -> str:
    """The first sentence of the last line of Ray's message: what happened, without its advice."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip().partition(". ")[0] if lines else type(error).__name__
