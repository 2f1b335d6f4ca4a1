"""Maps that no network is asked for: what a method has to beat."""

import zlib

import numpy as np
import torch
from torch import Tensor

from experiments.methods import Attribution, Subject


def centre_prior(_subject: Subject) -> Attribution:
    """A pyramid whose top is the middle of the image: cut at any level, it is a box around the middle."""

    def attribute(batch: Tensor, _: Tensor) -> Tensor:
        rows, columns = (1 - (2 * (torch.arange(extent) + 0.5) / extent - 1).abs() for extent in batch.shape[2:])
        pyramid = torch.minimum(rows[:, None], columns)
        return pyramid.expand(len(batch), -1, -1).clone().to(batch.device)

    return attribute


def noise(_subject: Subject) -> Attribution:
    """Independent uniform numbers; an image always gets the same."""

    def attribute(batch: Tensor, _: Tensor) -> Tensor:
        seeds = [zlib.crc32(image.cpu().numpy().tobytes()) for image in batch]
        maps = [np.random.default_rng(seed).random(batch.shape[2:], dtype=np.float32) for seed in seeds]
        return torch.from_numpy(np.stack(maps)).to(batch.device)

    return attribute
