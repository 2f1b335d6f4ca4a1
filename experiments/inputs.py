"""What the options of a command stand for: images, a network, how to trace it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from experiments.errors import SettingError
from experiments.methods import Subject
from tracer import Alpha, Model, TraceConfig, load_model, load_weights
from tuner.datasets import ImageList, load_dataset
from tuner.spec.job import DatasetSpec

Options = Mapping[str, Any]

_DATASET: TypeAdapter[DatasetSpec] = TypeAdapter(Annotated[DatasetSpec, Field(discriminator="kind")])


def dataset(options: Options, *, labelled: bool = False) -> ImageList:
    """All images of ``images``, whose layout is ``kind``.

    Raises:
        SettingError: If ``images`` is no path.
        DatasetError: If an image or a box is bad, or lacks a label that is needed.
    """
    try:
        spec = _DATASET.validate_python({"kind": options["kind"], "root": options["images"]})
    except ValidationError as error:
        raise SettingError(f"--images: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    return load_dataset(spec, labelled=labelled)


def halves(options: Options, images: ImageList) -> tuple[list[int], list[int]]:
    """The places of the images of ``tuned_on`` and those of ``evaluated_on``, in the data set's order.

    Args:
        options: ``limit``, ``tuned_on`` and ``evaluated_on``.
        images: The data set.

    Raises:
        SettingError: If one of the two is missing, they share images, or one reaches beyond the data set.
    """
    tuned, evaluated = options["tuned_on"], options["evaluated_on"]
    if not (tuned and evaluated):
        raise SettingError("--tuned-on and --evaluated-on go together: give both")
    if options["limit"] or options["repeat"] > 1:
        raise SettingError("--limit and --repeat do not go with --tuned-on: give shorter ranges")
    if shared := range(max(tuned.start, evaluated.start), min(tuned.stop, evaluated.stop)):
        raise SettingError(
            f"--tuned-on and --evaluated-on share the images {shared.start + 1}-{shared.stop}: give ranges apart"
        )
    if (last := max(tuned.stop, evaluated.stop)) > len(images):
        raise SettingError(f"the data set has {len(images)} images: a range ends at {last}")
    return list(tuned), list(evaluated)


def model(options: Options) -> Model:
    """The network of ``arch`` and ``checkpoint``.

    Raises:
        TracerError: If the architecture is unknown or the checkpoint does not fit.
    """
    return load_model(options["arch"], options["checkpoint"])


def subject(options: Options) -> Subject:
    """The network, traced as the weight file ``weights`` says, or by the defaults; ``location`` overrides both.

    Raises:
        TracerError: Likewise, or if the weight file is bad or of another architecture.
    """
    network = model(options)
    if options["weights"]:
        weights = load_weights(options["weights"])
        weights.check_architecture(network.architecture)
        return Subject(network, _located(weights.tracer, options), weights)
    return Subject(network, _located(TraceConfig(), options), Alpha())


def _located(config: TraceConfig, options: Options) -> TraceConfig:
    return replace(config, location=options["location"]) if options["location"] else config
