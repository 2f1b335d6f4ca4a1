"""One image traced on demand, in one process that is bounded in memory and time, and started again where it fails."""

import json
import multiprocessing
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage import queries
from storage.engine import Database
from storage.models import Candidate
from storage.rows import ArmRow, BanditRow
from tracer import Settings
from tracer.printable import one_line
from tuner.errors import BusyError, MissingError, RefusedError
from tuner.service.allowed import check_code
from tuner.service.answers import find_image
from tuner.spec.job import TRACER, JobSpec, stored_job

PATIENCE = 120.0
"""Seconds that tracing an image may take; the first of a job loads its network and its list of images."""

MEMORY = 6 * 2**30
"""Bytes that the process may take."""

WAITING = 4
"""Requests that may wait for the process."""

KEPT = 128
"""Traced pictures that are kept, at most."""

MOST_ARMS = 8
"""Arms that an image is traced with at a time."""


@dataclass(frozen=True, eq=False)
class TracedImage:
    """An image traced with one arm.

    Args:
        size: Its width and height.
        truth: Boxes of its instances, shape (n, 4).
        box: The box of the trace.
        iou: Its IOU with the best-overlapping instance; ``None`` where the data set describes none.
        explained: The class explained.
        probability: The network's probability of that class.
        picture: A PNG.
    """

    size: tuple[int, int]
    truth: NDArray[np.float64]
    box: NDArray[np.float64]
    iou: float | None
    explained: str
    probability: float
    picture: bytes


@dataclass(frozen=True)
class Request:
    """What the process is asked.

    Args:
        name: The job's.
        spec: Its configuration as the database holds it, in JSON.
        parameters_sha256: Hash of the parameters that it began with.
        image: The data set's id of the image.
        settings: What to trace it with.
    """

    name: str
    spec: str
    parameters_sha256: str | None
    image: str
    settings: tuple[Settings, ...]


class Tracing:
    """Traces images of jobs; what was traced is kept.

    Args:
        factories: Factories that a job may name, beside torchvision's networks.
    """

    def __init__(self, factories: frozenset[str]) -> None:
        self._factories = factories
        self._kept: OrderedDict[tuple[str, int, int], TracedImage] = OrderedDict()
        self._keeping = threading.Lock()  # requests are answered in several threads
        self._process = _BoundedProcess()
        self._waiting = threading.BoundedSemaphore(WAITING)

    def trace(self, database: Database, name: str, rank: int, arms: Sequence[int]) -> dict[int, TracedImage]:
        """An image of a job traced with some of its arms, by their ids.

        Args:
            database: Where the job is.
            name: The job's.
            rank: The image's position in the permutation.
            arms: Ids of the arms.

        Raises:
            MissingError: If the job has no such image or arm, or its images or network are not on this machine.
            RefusedError: If its network is code that the server does not run.
            BusyError: If others wait already, or it takes too long.
        """
        with database.reading() as session:
            job, image = queries.job(session, name), find_image(session, name, rank)
            by_id = {arm.id: arm for arm in queries.arms(session, name)}
            bandits = {bandit.id: bandit for bandit in queries.bandits(session, name)}
        unknown = [arm for arm in arms if arm not in by_id]
        if unknown:
            raise MissingError(f"job {name!r} has no arm {unknown[0]}")
        spec = stored_job(name, job.spec)
        check_code(spec, self._factories)
        if spec.explainer != TRACER:
            raise RefusedError(f"job {name!r} tuned {spec.explainer}; the service traces with the tracer alone")
        kept = {arm: self._kept.get((name, rank, arm)) for arm in arms}
        found = {arm: each for arm, each in kept.items() if each is not None}
        missing = [arm for arm in kept if arm not in found]
        if missing:
            settings = tuple(_settings(spec, bandits[by_id[arm].bandit_id], by_id[arm]) for arm in missing)
            request = Request(name, json.dumps(dict(job.spec)), job.parameters_sha256, image.name, settings)
            found |= zip(missing, self._ask(request), strict=True)
            self._keep(name, rank, found)
        return {arm: found[arm] for arm in arms}

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _ask(self, request: Request) -> Sequence[TracedImage]:
        if not self._waiting.acquire(blocking=False):
            raise BusyError(f"{WAITING} images wait to be traced already; ask again in a while")
        try:
            return self._process.ask(request)
        finally:
            self._waiting.release()

    def _keep(self, name: str, rank: int, found: Mapping[int, TracedImage]) -> None:
        with self._keeping:
            self._kept |= {(name, rank, arm): each for arm, each in found.items()}
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _settings(spec: JobSpec, bandit: BanditRow, arm: ArmRow) -> Settings:
    """What an arm traces with."""
    return spec.settings.changed(bandit.base).changed(_values(bandit.setting, arm.candidate))


def _values(setting: str, candidate: Candidate) -> Mapping[str, Any]:
    return candidate if isinstance(candidate, Mapping) else {setting: candidate}


class _BoundedProcess:
    """The process, which starts when it is first asked, and again after it failed or took too long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def ask(self, request: Request) -> Sequence[TracedImage]:
        """What the process answers; one request at a time."""
        with self._lock:
            pipe = self._started()
            try:
                pipe.send(request)
                if not pipe.poll(PATIENCE):
                    self._end()
                    raise BusyError(f"tracing the image took more than {PATIENCE:.0f} s and was given up")
                answer = pipe.recv()
            except (EOFError, OSError) as error:
                self._end()
                raise BusyError("the process that traces images ended; it may have run out of memory") from error
        if isinstance(answer, str):
            raise MissingError(f"the images or the network of the job are not on this server's machine: {answer}")
        traced: Sequence[TracedImage] = answer
        return traced

    def close(self) -> None:
        """End the process, whatever it does."""
        self._end()

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self._end()
            self._pipe, there = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(there,), daemon=True, name="tracing")
            self._process.start()
            there.close()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(5)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _serve(pipe: Connection) -> None:
    """Answer requests until the other end is closed; what goes wrong is answered in one line."""
    import signal

    import torch

    from storage.errors import StorageError
    from tracer.errors import TracerError
    from tuner.errors import TunerError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    os.nice(10)
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(_trace(request))
        except (TunerError, TracerError, StorageError, MemoryError) as error:
            pipe.send(one_line(error) or type(error).__name__)


def _trace(request: Request) -> list[TracedImage]:
    from tracer.images import to_rgb
    from tuner.datasets.boxes import iou
    from tuner.service.pictures import draw

    spec, images, tracer = _loaded(request.name, request.spec, request.parameters_sha256)
    if request.image not in images:
        raise MissingError(f"no image {request.image} in the data set")
    labelled = images[request.image]
    picture = to_rgb(labelled.open())
    target = labelled.label if spec.target == "label" else None
    explanations = tracer.explain_classes(picture, request.settings, [target])[0]
    return [
        TracedImage(
            picture.size,
            labelled.boxes,
            each.box,
            float(iou(each.box, labelled.boxes)) if len(labelled.boxes) else None,
            each.name,
            each.probability,
            draw(picture, each.saliency if each.config.box == "patch" else each.heatmap, each.box, labelled.boxes),
        )
        for each in explanations
    ]


@lru_cache(maxsize=1)
def _loaded(name: str, spec: str, parameters_sha256: str | None) -> Any:
    """A job's configuration, its images by id and the tracer of its network."""
    from tracer import Tracer, load_model
    from tuner.datasets import load_dataset
    from tuner.errors import ChangedError

    job = stored_job(name, json.loads(spec))
    dataset = load_dataset(job.dataset, labelled=job.target == "label")
    model = load_model(job.architecture, job.checkpoint)
    if parameters_sha256 not in (None, model.parameters_sha256):
        raise ChangedError(f"the parameters of {job.architecture} here are not those that the job began with")
    return job, {image.id: image for image in dataset.images}, Tracer(model)
