"""Shares that meet no positive evidence, where whole layers are walked.

A neuron without positive evidence hands all of its share to its strongest candidate. Many do: a filter of a depthwise
convolution whose whole field is 0 is positive by its bias alone. So they too are followed in whole-layer operators.
"""

import torch
from torch import Tensor

SMALLEST = 1e-30
"""Evidence up to here counts as none where whole layers are walked: a share divided by it would overflow."""

CHUNK = 1 << 22
"""Products in memory at once."""


def divide(shares: Tensor, evidence: Tensor) -> tuple[Tensor, Tensor | None]:
    """Shares per unit of positive evidence, and the shares that meet none.

    Args:
        shares: Of the operation's neurons, at least 0.
        evidence: The sum of the positive evidence of each, of the same shape; overwritten.

    Returns:
        Shares divided by evidence, 0 where there is none; and the shares of the neurons without any, 0 elsewhere, or
        ``None`` where all of it is 0.
    """
    if evidence.min() > SMALLEST:
        return shares / evidence, None
    none = evidence <= SMALLEST
    unmet = shares.masked_fill(~none, 0)
    divided = shares / evidence.masked_fill_(none, torch.inf)
    return divided, unmet if unmet.any() else None


def hand_to_strongest(
    shares: Tensor, values: Tensor, weight: Tensor, cells: Tensor, inside: Tensor, groups: int = 1
) -> Tensor:
    """Every neuron's whole share at its strongest product: the first channel's of equals, then the first tap's.

    Args:
        shares: Shape (b, outputs, locations), mostly 0.
        values: The activations that the layer reads, shape (b, channels, cells).
        weight: Shape (outputs, channels of a group, taps).
        cells: The cell under each tap of the filter at each location, int64 of shape (locations, taps).
        inside: Whether that tap lies in the input, of the same shape; where none of a location does, its first counts.
        groups: Of channels.

    Returns:
        What each neuron of the input gets, of the shape of ``values``.
    """
    outputs, width, taps = weight.shape
    channels, size = values.shape[1:]
    given = torch.zeros_like(values, dtype=shares.dtype).reshape(-1)
    flat = values.reshape(-1)
    column = torch.arange(width, device=values.device)[:, None]
    for image, output, location in zip(*_chunks(shares, max(1, CHUNK // (width * taps))), strict=True):
        first = image * channels + output // (outputs // groups) * width
        places = ((first[:, None, None] + column) * size + cells.index_select(0, location)[:, None]).flatten(1)
        products = flat.index_select(0, places.flatten()).view(-1, width, taps) * weight.index_select(0, output)
        products.masked_fill_(~inside.index_select(0, location)[:, None], -torch.inf)
        strongest = products.flatten(1).max(dim=1, keepdim=True).indices
        given.index_add_(0, places.gather(1, strongest).flatten(), shares[image, output, location])
    return given.view_as(values)


def _chunks(shares: Tensor, length: int) -> list[tuple[Tensor, ...]]:
    """Image, output and location of the neurons that have a share, each split into parts of a length."""
    return [torch.split(places, length) for places in shares.nonzero(as_tuple=True)]
