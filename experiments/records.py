"""From images to records: the one way in which every experiment looks at its images.

An :class:`Experiment` says what it records of an image by a method. :func:`collect` makes the records that the cache
does not hold yet, a batch of images at a time, here or in several processes, and keeps them after every batch: a run
that is killed loses the batches it was at, and the next one goes on from there.
"""

import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from experiments.cache import Cache, Record
from experiments.errors import ExperimentError, MethodError, SettingError
from experiments.keys import Keys
from experiments.methods import Method, Subject, Variants, alone
from experiments.sampling import Sample
from tuner.datasets import LabelledImage

logger = logging.getLogger(__name__)

BATCH = 4
"""Images in a batch: what a killed run loses of each process."""

Scene = TypeVar("Scene")
Progress = Callable[[Iterable[int], int], Iterable[int]]
"""Passes on how many images each batch had, as batches are done; told how many images are to do in all."""


class Experiment(Protocol[Scene]):
    """What is recorded of an image by a method. Picklable: it travels to other processes."""

    name: ClassVar[str]
    variants: ClassVar[bool]
    """Whether methods are asked for all their variants, or for their own map alone."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides the records beside image, network and method; plain values."""
        ...

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Scene:
        """What all methods need of a batch of images: read, classified, changed."""
        ...

    def record(self, scene: Scene, method: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """What is recorded of each image of the batch by a method."""
        ...


@dataclass(frozen=True, eq=False)
class Found:
    """All records of an experiment.

    Args:
        sample: The images, and which of them each draw holds.
        records: Method name → a record an image; a method that cannot explain the network is not there.
    """

    sample: Sample
    records: dict[str, list[Record]]

    @property
    def images(self) -> Sequence[LabelledImage]:
        """The images, each once."""
        return self.sample.images

    def values(self, method: str, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        """What the method's records call ``name``, of all images, along the first axis."""
        return np.array([record[name] for record in self.records[method]])


@dataclass(frozen=True, eq=False)
class _Batch:
    """Images, and the methods of which each of them lacks a record."""

    images: tuple[LabelledImage, ...]
    methods: tuple[Method, ...]


@dataclass(frozen=True, eq=False)
class _Answer:
    """What became of a batch: records by method, and why a method gave none."""

    batch: _Batch
    records: dict[str, list[dict[str, ArrayLike]]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)


def collect(
    experiment: Experiment[Any],
    methods: Sequence[Method],
    sample: Sample,
    subject: Subject,
    *,
    cache: Cache,
    jobs: int = 1,
    make_subject: Callable[[], Subject] | None = None,
    progress: Progress = lambda done, _: done,
) -> Found:
    """The records of all images by all methods; those that the cache holds are not made again.

    A method that cannot explain the network is left out, which a warning says.

    Args:
        experiment: What is recorded.
        methods: The methods.
        sample: The images.
        subject: What is explained.
        cache: Where records are kept.
        jobs: Processes that make records; this one alone for 1.
        make_subject: Makes the same subject in each of several processes; picklable. Without it there is one alone.
        progress: Shows how far it is.

    Raises:
        MethodError: If no method can explain this network.
        ExperimentError: If one of several processes dies.
    """
    keys = Keys(experiment.name, experiment.settings, subject)
    records = cache.find(keys.of(method, image) for method in methods for image in sample.images)
    batches = _missing(sample.images, methods, lambda method, image: keys.of(method, image) in records)
    refusals: dict[str, str] = {}

    def done() -> Iterator[int]:
        for answer in _answers(experiment, batches, subject, jobs, make_subject):
            made = {
                keys.of(method, image): record
                for method in answer.batch.methods
                for image, record in zip(answer.batch.images, answer.records.get(method.name, ()), strict=False)
            }
            cache.add(made)
            records.update(
                {key: {name: np.asarray(value) for name, value in each.items()} for key, each in made.items()}
            )
            for name, reason in answer.refusals.items():
                if name not in refusals:
                    logger.warning("%s is left out: %s", name, reason)
            refusals.update(answer.refusals)
            yield len(answer.batch.images)

    for _ in progress(done(), sum(len(batch.images) for batch in batches)):
        pass
    found = {
        method.name: [records[keys.of(method, image)] for image in sample.images]
        for method in methods
        if method.name not in refusals
    }
    if not found:
        raise MethodError("none of the methods can explain this network: choose others (--methods)")
    return Found(sample, found)


def _missing(
    images: Sequence[LabelledImage], methods: Sequence[Method], known: Callable[[Method, LabelledImage], bool]
) -> list[_Batch]:
    """Batches of images that lack the records of the same methods."""
    groups: dict[tuple[Method, ...], list[LabelledImage]] = {}
    for image in images:
        groups.setdefault(tuple(method for method in methods if not known(method, image)), []).append(image)
    return [
        _Batch(tuple(group[start : start + BATCH]), lacking)
        for lacking, group in groups.items()
        if lacking
        for start in range(0, len(group), BATCH)
    ]


class _Worker:
    """Makes the records of batches; prepares each method once, and asks one that refused no more."""

    def __init__(self, experiment: Experiment[Any], subject: Subject) -> None:
        self._experiment = experiment
        self._subject = subject
        self._prepared: dict[str, Variants] = {}
        self._refusals: dict[str, str] = {}

    def answer(self, batch: _Batch) -> _Answer:
        """Records of a batch by those of its methods that can explain the network."""
        answer = _Answer(batch)
        scene = self._experiment.look(self._subject, batch.images)
        for method in batch.methods:
            if method.name not in self._refusals:
                try:
                    answer.records[method.name] = self._experiment.record(scene, method, self._attribute(method))
                except MethodError as error:
                    self._refusals[method.name] = str(error)
            if method.name in self._refusals:
                answer.refusals[method.name] = self._refusals[method.name]
        return answer

    def _attribute(self, method: Method) -> Variants:
        if method.name not in self._prepared:
            self._prepared[method.name] = _prepare(method, self._subject, variants=self._experiment.variants)
        return self._prepared[method.name]


def _prepare(method: Method, subject: Subject, *, variants: bool) -> Variants:
    """The method, whatever its library raises turned into a :class:`MethodError`."""

    def run(batch: Tensor, targets: Tensor) -> dict[str, Tensor]:
        with _refusing():
            return attribute(batch, targets)

    with _refusing():
        attribute = method.prepare_variants(subject) if variants else alone(method.prepare(subject))
    return run


class _refusing:  # noqa: N801 - reads as a statement
    """Turns what a library raises on a network it was not made for into one line."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, MethodError):
            lines = str(error).splitlines() or [""]
            raise MethodError(f"{type(error).__name__}: {lines[0]}") from error


def _answers(
    experiment: Experiment[Any],
    batches: Sequence[_Batch],
    subject: Subject,
    jobs: int,
    make_subject: Callable[[], Subject] | None,
) -> Iterator[_Answer]:
    """Answers to all batches, as they come."""
    if make_subject is None or min(jobs, len(batches)) < 2:
        yield from map(_Worker(experiment, subject).answer, batches)
        return
    context = multiprocessing.get_context("spawn")  # a forked process would inherit torch's threads in no state to use
    start = (experiment, make_subject, subject.model.parameters_sha256)
    pool = ProcessPoolExecutor(min(jobs, len(batches)), mp_context=context, initializer=_start, initargs=start)
    try:
        with _no_interrupt():
            asked = [pool.submit(_answer, batch) for batch in batches]
        for answer in as_completed(asked):
            yield answer.result()
    except BrokenProcessPool as error:
        raise ExperimentError(
            "a process that explains images died, perhaps for want of memory: run again with fewer --jobs; "
            "what was recorded is kept"
        ) from error
    except BaseException:  # whoever stops the run does not wait for the images in work
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes that are started in the block never see Ctrl-C, which reaches them too: it is this one's to handle."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: _Worker
"""That of this process, where it is one of several."""


_refused: str = ""
"""Why this process, where it is one of several, makes no records."""


def _start(experiment: Experiment[Any], make_subject: Callable[[], Subject], parameters_sha256: str) -> None:
    global _worker, _refused  # noqa: PLW0603 - a pool's processes have no other place for what they keep
    torch.set_num_threads(1)
    subject = make_subject()
    _worker = _Worker(experiment, subject)
    if subject.model.parameters_sha256 != parameters_sha256:
        _refused = (
            f"{subject.model.architecture} comes with other parameters in each process: let its factory load or seed "
            "them, or run with --jobs 1"
        )


def _answer(batch: _Batch) -> _Answer:
    if _refused:
        raise SettingError(_refused)
    return _worker.answer(batch)
