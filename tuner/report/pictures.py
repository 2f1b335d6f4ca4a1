"""Images on which the base and the learned settings differ most, explained again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.rows import JobRow
from tracer import Settings
from tracer.weights import describe_reward
from tuner.datasets import load_dataset
from tuner.errors import ChangedError
from tuner.pages.report import Box, Kind, Picture, embed
from tuner.results.table import Row
from tuner.spec.job import JobSpec
from tuner.workers.identity import Identity
from tuner.workers.scoring import Scorer, make_scorer

LONGEST = 400
"""Pixels of a picture's longer side."""

KINDS: tuple[Kind, Kind] = ("base", "learned")
"""What is drawn beside the true boxes."""

TOLERANCE = 0.001
"""How far the value of an image that is explained again may be from the one that the job stored."""


def draw(job: JobRow, spec: JobSpec, learned: Settings, images: Sequence[Row]) -> list[Picture]:
    """Pictures with the true boxes and those of both settings.

    Args:
        job: The job.
        spec: Its configuration.
        learned: The settings that it learned.
        images: What to draw: rows of :func:`tuner.results.check.checked_images`.

    Raises:
        TracerError, TunerError: If images or network are not at hand, or are others than those that the job saw.
    """
    dataset = load_dataset(spec.dataset, labelled=spec.target == "label")
    if job.dataset_sha256 not in (None, dataset.sha256):
        raise ChangedError("the data set is another one than the job saw")
    places = {dataset[index].id: index for index in range(len(dataset))}
    measured = describe_reward(spec.reward.name)
    scorer = make_scorer(spec, dataset, identity=Identity(job.parameters_sha256, job.code_sha256))
    return [
        _picture(scorer, places[row["image"]], (spec.settings, learned), row, measured, len(images)) for row in images
    ]


def _picture(
    scorer: Scorer, image: int, settings: tuple[Settings, Settings], row: Row, measured: str, pictures: int
) -> Picture:
    labelled = scorer.dataset[image]
    source, small = embed(labelled.open(), LONGEST, LONGEST, pictures)
    scale = small.width / labelled.width
    readings, values = scorer.explain(image, settings)
    changed = np.abs(values - (row["base"], row["learned"])).max() > TOLERANCE
    boxes: list[tuple[Kind, NDArray[np.float64]]] = [
        *(("truth", box) for box in labelled.boxes),
        *((kind, reading.box) for kind, reading in zip(KINDS, readings, strict=True)),
    ]
    caption = f"{measured} of the base {row['base']:.2f}, learned {row['learned']:.2f}"
    return Picture(
        labelled.id,
        f"{caption}; explained again, it came out otherwise than in the job" if changed else caption,
        source,
        small.width,
        small.height,
        [Box(kind, _at(box * scale)) for kind, box in boxes],
    )


def _at(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(value), 1) for value in box)
    return x0, y0, x1, y1
