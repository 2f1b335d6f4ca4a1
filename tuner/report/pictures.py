"""Images on which the base and the learned settings differ most, boxed again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.rows import JobRow
from tracer import Settings
from tuner.datasets import load_dataset
from tuner.datasets.boxes import iou
from tuner.errors import ChangedError
from tuner.pages.report import Box, Kind, Picture, embed
from tuner.results.table import Row
from tuner.spec.job import JobSpec
from tuner.workers.scoring import Scorer, make_scorer

LONGEST = 400
"""Pixels of a picture's longer side."""

TOLERANCE = 0.001
"""How far the IOU of a box that is traced again may be from the one that the job stored."""


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
    scorer = make_scorer(spec, dataset, parameters_sha256=job.parameters_sha256)
    return [_picture(scorer, places[row["image"]], (spec.settings, learned), row, len(images)) for row in images]


def _picture(scorer: Scorer, image: int, settings: tuple[Settings, Settings], row: Row, pictures: int) -> Picture:
    labelled = scorer.dataset[image]
    source, small = embed(labelled.open(), LONGEST, LONGEST, pictures)
    scale = small.width / labelled.width
    base, learned = scorer.boxes(image, settings)
    traced: list[tuple[Kind, NDArray[np.float64]]] = [("base", base), ("learned", learned)]
    changed = any(abs(iou(box, labelled.boxes) - row[kind]) > TOLERANCE for kind, box in traced)
    boxes = [*(("truth", box) for box in labelled.boxes), *traced]
    caption = f"IOU of the base {row['base']:.2f}, learned {row['learned']:.2f}"
    return Picture(
        labelled.id,
        f"{caption}; traced again, the boxes came out otherwise than in the job" if changed else caption,
        source,
        small.width,
        small.height,
        [Box(kind, _at(box * scale)) for kind, box in boxes],
    )


def _at(box: NDArray[np.float64]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(value), 1) for value in box)
    return x0, y0, x1, y1
