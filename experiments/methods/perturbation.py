"""Methods that look at nothing but how the class's probability changes with the image."""

import torch
from torch import Tensor, nn

from experiments.methods import Attribution, Subject

WINDOWS = 7
"""Occluding windows along a side; they move by half of their side."""
MASKS = 4000
"""RISE's masks: what its authors took for VGG-16."""
CELLS = 7
"""RISE's cells along a side of a mask."""
KEPT = 0.5
"""The share of a mask's cells that RISE keeps."""
TOGETHER = 32
"""Changed images in one forward pass."""


def occlusion(subject: Subject) -> Attribution:
    """Prediction difference (Zeiler & Fergus 2014) by Captum: by how much the class grows less probable, at least 0.

    A square of the mean colour hides a part of the image; a pixel gets the mean over the squares that hide it.
    """
    from captum.attr import Occlusion

    captum = Occlusion(lambda batch: subject.module(batch).softmax(1))

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        side, step = (tuple(max(1, extent // parts) for extent in batch.shape[2:]) for parts in (WINDOWS, 2 * WINDOWS))
        with torch.no_grad():
            values: Tensor = captum.attribute(
                batch,
                (3, *side),
                strides=(3, *step),
                target=targets,
                perturbations_per_eval=max(1, TOGETHER // len(batch)),
            )
        return values.mean(dim=1).clamp(min=0).float()

    return attribute


def rise(subject: Subject) -> Attribution:
    """RISE (Petsiuk et al. 2018): the mean of random masks, weighted by the class's probability under each.

    A mask is a grid of cells, each kept with probability :data:`KEPT`, scaled up smoothly and shifted at random by less
    than a cell. The masks come of a fixed seed, so that a map is always the same. What is hidden has the mean colour.
    """

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(0)
        chosen = torch.arange(len(batch), device=batch.device)
        maps = batch.new_zeros(len(batch), *batch.shape[2:])
        with torch.no_grad():
            for _ in range(0, MASKS, TOGETHER):
                masks = _masks(TOGETHER, batch.shape[2], batch.shape[3], random).to(batch)
                for image, target in zip(chosen, targets, strict=True):
                    probability = subject.module(batch[image] * masks[:, None]).softmax(1)[:, target]
                    maps[image] += torch.tensordot(probability, masks, 1)
        return (maps / (MASKS * KEPT)).float()

    return attribute


def _masks(count: int, height: int, width: int, random: torch.Generator) -> Tensor:
    """Masks of RISE, shape (count, height, width), in [0, 1]."""
    cells = (torch.rand(count, 1, CELLS, CELLS, generator=random) < KEPT).float()
    rows, columns = -(-height // CELLS), -(-width // CELLS)
    large = nn.functional.interpolate(cells, (height + rows, width + columns), mode="bilinear", align_corners=False)[
        :, 0
    ]
    down, right = (torch.randint(0, extent, (count,), generator=random).tolist() for extent in (rows, columns))
    cut = [mask[top : top + height, left : left + width] for mask, top, left in zip(large, down, right, strict=True)]
    return torch.stack(cut)
