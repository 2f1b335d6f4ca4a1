"""An experiment from the options of its command to what it came to."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Protocol

import numpy as np

from experiments import inputs
from experiments.cache import Cache, default_path
from experiments.errors import SettingError
from experiments.methods import Method, Subject, find_method
from experiments.progress import counted
from experiments.records import Experiment, Found, collect
from experiments.result import Result
from experiments.rewards import METHOD, Rewards, Table
from experiments.sampling import Sample, draw, pinned
from experiments.seen import Learned, check_unseen, count_seen, learned_on
from experiments.tuned import MEASURES, Tuned, judge, readings, result
from tuner.datasets import ImageList, LabelledImage
from tuner.spec.arms import ArmSet

Options = Mapping[str, Any]
"""By name, as the command line gives them: ``arch``, ``checkpoint``, ``weights``, ``location``; ``images``, ``kind``,
``limit``, ``seed``, ``repeat``; ``unseen``, ``allow_seen``; ``cache``, ``jobs``."""


class Answering(Experiment[Any], Protocol):
    """An experiment that says itself what its records come to."""

    def result(self, found: Found, seed: int) -> Result:
        """What the records come to."""
        ...


def run(experiment: Answering, methods: Sequence[Method], options: Options, *, labelled: bool = False) -> Result:
    """What an experiment comes to on the images of the options.

    Args:
        experiment: The experiment.
        methods: The methods to compare; differences are to the first.
        options: Of the command.
        labelled: Whether every image needs a label.

    Raises:
        SeenError: If a method's settings were learned on some of the images.
        ExperimentError, TracerError, DatasetError: If an option or its data is bad.
    """
    images = inputs.dataset(options, labelled=labelled)
    subject = inputs.subject(options)
    sample, seen = choose(images, learned_on(methods, subject), options)
    return shown(
        experiment.result(gather(experiment, methods, sample, subject, options), options["seed"]), seen, options
    )


def run_tuned(criterion: str, measures: Sequence[str], methods: Sequence[Method], options: Options) -> Result:
    """What methods come to whose read-offs are chosen on some images and judged on others.

    Args:
        criterion: The measure to choose by.
        measures: The measures to judge by; all without any.
        methods: The methods to compare; differences are to the first.
        options: Of the command, with ``tuned_on``, ``evaluated_on``, ``sides`` and ``flip``.

    Raises:
        SeenError: If a method's settings were learned on images that it is judged on.
        ExperimentError, TracerError, DatasetError: If an option or its data is bad.
    """
    labelled = options["target"] == "label"
    experiment = Tuned(options["target"], tuple(options["sides"]), options["flip"])
    found, tuned, seen = gather_halves(experiment, methods, options, labelled=labelled)
    random = np.random.default_rng(options["seed"])
    rows = judge(readings(found), tuned, criterion=criterion, measures=measures or tuple(MEASURES), random=random)
    return shown(result(rows, criterion), seen, options)


def gather_rewards(arms: ArmSet, options: Options) -> tuple[Table, int]:
    """What every reward gives every arm on the images of ``tuned_on``, then of ``evaluated_on``.

    Args:
        arms: The arms.
        options: Of the command, with ``tuned_on`` and ``evaluated_on``.

    Returns:
        The values, and how many images are of the first half.

    Raises:
        ExperimentError, TracerError, DatasetError: If an option or its data is bad.
    """
    options = {**options, "weights": None, "location": None, "repeat": 1, "unseen": False, "allow_seen": False}
    found, tuned, _ = gather_halves(Rewards(arms), [find_method(METHOD)], options)
    return Table.of(found, arms), tuned


def choose(images: ImageList, learned: Learned, options: Options) -> tuple[Sample, dict[str, int]]:
    """The images that the options draw, and on how many of them each method's settings were learned.

    Args:
        images: The data set.
        learned: What is known of that.
        options: ``limit``, ``seed``, ``repeat``, ``unseen``, ``allow_seen``, ``ids``.

    Raises:
        SeenError: If they were on some, and the options do not allow it.
    """
    without = left_out(learned, options)
    if ids := options.get("ids"):
        sample = Sample.of(pinned(images, _places(images, ids)))
    else:
        sample = draw(images, options["limit"], options["seed"], repeat=options["repeat"], without=without)
    return sample, count(sample.images, learned, options)


def left_out(learned: Learned, options: Options) -> frozenset[str]:
    """The ids of the images that are not to be judged on, because settings were learned on them.

    Raises:
        SettingError: If the options contradict one another.
    """
    if options["unseen"] and options["allow_seen"]:
        raise SettingError("--unseen leaves out what --allow-seen allows: give one of the two")
    return frozenset[str]().union(*(seen or () for seen in learned.values())) if options["unseen"] else frozenset()


def count(images: Sequence[LabelledImage], learned: Learned, options: Options) -> dict[str, int]:
    """On how many of the images each method's settings were learned.

    Raises:
        SeenError: If they were on some, and the options do not allow it.
    """
    if not options["allow_seen"]:
        check_unseen(images, learned)
    return count_seen(images, learned)


def gather(
    experiment: Experiment[Any], methods: Sequence[Method], sample: Sample, subject: Subject, options: Options
) -> Found:
    """The records of an experiment, as the options say: with so many jobs, kept in that file."""
    with closing(Cache(options["cache"] or default_path())) as cache:
        return collect(
            experiment,
            methods,
            sample,
            subject,
            cache=cache,
            jobs=options["jobs"],
            make_subject=partial(inputs.subject, dict(options)),
            progress=counted,
        )


def gather_halves(
    experiment: Experiment[Any], methods: Sequence[Method], options: Options, *, labelled: bool = False
) -> tuple[Found, int, dict[str, int]]:
    """The records of the images of ``tuned_on``, then of those of ``evaluated_on``.

    Returns:
        The records; how many images are of the first half; on how many of the second each method's settings were
        learned.

    Raises:
        SeenError: If they were on some, and the options do not allow it.
        ExperimentError, TracerError, DatasetError: If an option or its data is bad.
    """
    images = inputs.dataset(options, labelled=labelled)
    tuned, evaluated = inputs.halves(options, images)
    subject = inputs.subject(options)
    learned = learned_on(methods, subject)
    without = left_out(learned, options)
    evaluated = [place for place in evaluated if images[place].id not in without]
    if not evaluated:
        raise SettingError("--unseen leaves no image of --evaluated-on: give another range")
    chosen = pinned(images, [*tuned, *evaluated])
    seen = count(chosen[len(tuned) :], learned, options)
    return gather(experiment, methods, Sample.of(chosen), subject, options), len(tuned), seen


def shown(result: Result, seen: Mapping[str, int], options: Options) -> Result:
    """The result; where settings may be judged on what they were learned on, every table says on how many images."""
    return result.with_seen(seen) if options["allow_seen"] else result


def _places(images: ImageList, ids: Sequence[str]) -> list[int]:
    known = {image.id: place for place, image in enumerate(images.images)}
    for each in ids:
        if each not in known:
            raise SettingError(f"--ids: the data set has no image {each!r}")
    return [known[each] for each in ids]
