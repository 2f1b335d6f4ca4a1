"""How a neuron's share is divided where whole layers are walked."""

import torch
from torch import Tensor

SMALLEST = 1e-30
"""Evidence up to here counts as none where whole layers are walked: a share divided by it would overflow."""


def divide(shares: Tensor, evidence: Tensor) -> Tensor:
    """Shares per unit of positive evidence; 0 where there is none, for such a neuron chooses nothing.

    Args:
        shares: Of the operation's neurons, at least 0.
        evidence: The sum of the positive evidence of each, of the same shape; overwritten.
    """
    return shares / evidence.masked_fill_(evidence <= SMALLEST, torch.inf)
