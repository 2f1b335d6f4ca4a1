"""What the options of a command stand for: images, a network, how to trace it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from experiments.errors import SettingError
from experiments.methods import Subject
from tracer import Alpha, Model, TraceConfig, load_model, load_weights
from tuner.datasets import LabelledImage, load_dataset, sample
from tuner.spec.job import DatasetSpec

Options = Mapping[str, Any]

_DATASET: TypeAdapter[DatasetSpec] = TypeAdapter(Annotated[DatasetSpec, Field(discriminator="kind")])


def images(options: Options, *, labelled: bool = False) -> list[LabelledImage]:
    """The first ``limit`` images of the seeded permutation; all of them without a limit.

    Args:
        options: ``images``, ``kind``, ``limit`` and ``seed``.
        labelled: Whether every image needs a label.

    Raises:
        SettingError: If ``images`` is no path.
        DatasetError: If an image or a box is bad.
    """
    try:
        spec = _DATASET.validate_python({"kind": options["kind"], "root": options["images"]})
    except ValidationError as error:
        raise SettingError(f"--images: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    dataset = load_dataset(spec, labelled=labelled)
    return [dataset[int(index)] for index in sample(dataset, options["limit"] or len(dataset), options["seed"])]


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
