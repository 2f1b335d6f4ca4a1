"""Which images an experiment looks at, and how often they are drawn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.errors import SettingError
from tuner.datasets import Dataset, LabelledImage, pin, sample


@dataclass(frozen=True, eq=False)
class Sample:
    """Images, drawn once or several times.

    Args:
        images: Every image that some draw holds, once.
        draws: The places in ``images`` of each draw.
    """

    images: Sequence[LabelledImage]
    draws: Sequence[NDArray[np.int64]]

    @classmethod
    def of(cls, images: Sequence[LabelledImage]) -> "Sample":
        """All images in one draw."""
        return cls(images, [np.arange(len(images))])


def draw(
    dataset: Dataset, limit: int | None, seed: int, *, repeat: int = 1, without: Collection[str] = frozenset()
) -> Sample:
    """Draws of ``limit`` images each, pinned to their pixels.

    The first holds the first images of the permutation that ``seed`` makes, the second those of the next seed's. Draws
    are made independently, as the paper's three of 2501 images, so they may share images.

    Args:
        dataset: Where images come from.
        limit: Images in a draw; all there are without it.
        seed: Of the first draw.
        repeat: How many draws.
        without: Ids of images that no draw may hold.

    Raises:
        SettingError: If no image is left.
    """
    drawn = []
    for number in range(repeat):
        order = sample(dataset, len(dataset), seed + number)
        left = [int(index) for index in order if dataset[int(index)].id not in without]
        drawn.append(left[:limit])
    if not drawn[0]:
        raise SettingError("no image is left to judge on: every one was used to learn the tracer's settings")
    chosen = list(dict.fromkeys(index for indices in drawn for index in indices))
    place = {index: number for number, index in enumerate(chosen)}
    return Sample(pinned(dataset, chosen), [np.array([place[index] for index in indices]) for indices in drawn])


def pinned(dataset: Dataset, indices: Sequence[int]) -> list[LabelledImage]:
    """Some images of a data set, with the hashes of their pixels."""
    images = pin(dataset, indices)
    return [images[index] for index in indices]
