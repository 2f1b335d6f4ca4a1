"""A job's checks, before anything of it is written: images, network, explainer and reward are tried."""

from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from tracer import Model, Settings, load_model
from tuner.datasets import Dataset, ImageList, LabelledImage
from tuner.errors import SpecError
from tuner.play.plan import Plan, load_images, make_plan
from tuner.rewards import Judge, make_judge
from tuner.spec.job import JobSpec
from tuner.workers.hashing import identify
from tuner.workers.scoring import Reader, Scorer, make_reader


def prepare(spec: JobSpec, dataset: Dataset | None = None) -> Plan:
    """Check everything a job needs, before anything is written.

    Args:
        spec: The job.
        dataset: Its images, where they are loaded already.

    Raises:
        DatasetError: If an image or a box is bad.
        TracerError: If the network is unknown, cannot be traced, or its checkpoint does not fit.
        SpecError: If the explainer is none, or has no variant of such a name, or the data cannot serve the reward.
        ScoringError: If the reward's values are none.
    """
    dataset = load_images(spec) if dataset is None else dataset
    model = load_model(spec.architecture, spec.checkpoint)
    reader, judge = make_reader(spec, model), make_judge(spec.reward, model)
    identity = identify(spec, model, reader, judge)
    _try(spec, model, reader, judge)
    return replace(make_plan(spec, dataset), checkpoint_sha256=model.checkpoint_sha256, identity=identity)


def _try(spec: JobSpec, model: Model, reader: Reader, judge: Judge) -> None:
    """Explain and judge a grey image, so that what no job can be made of is refused before one is stored."""
    if spec.dataset.kind == "folder" and getattr(judge, "needs_boxes", False):
        raise SpecError(
            f"reward {spec.reward.kind!r} judges by boxes, and a folder of images has none; choose another reward, or "
            "a data set with boxes"
        )
    box = np.array([[0.0, 0.0, 64.0, 64.0]])
    grey = LabelledImage("grey", 0, box, 64, 64, partial(Image.new, "RGB", (64, 64), "grey"))
    reader.readings([grey.open()], _samples(spec))
    Scorer(ImageList((grey,)), model, reader, judge).score(0, [spec.settings])


def _samples(spec: JobSpec) -> list[Settings]:
    """Settings that show whether a job can be traced: the base, and each configuration among the candidates."""
    base = spec.settings
    arms = [base.changed({name: candidate}) for name, axis in spec.arms.items() for candidate in axis]
    return list({settings.config: settings for settings in [*arms, base]}.values())
