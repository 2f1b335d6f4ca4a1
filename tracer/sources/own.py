"""Networks of the user's own: ``"package.module:factory"`` or ``"path/to/file.py:factory"``."""

import torch
from torch import nn

from tracer.errors import FactoryError, UnknownArchitectureError
from tracer.factories import make as call
from tracer.models import Model


def make(architecture: str) -> Model:
    """The network that a function of the user's own makes.

    Raises:
        UnknownArchitectureError: If the function is not there, fails, or makes something else.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            module = call(architecture)
    except FactoryError as error:
        raise UnknownArchitectureError(f"architecture {error}") from error
    if not isinstance(module, nn.Module):
        made = f"{architecture.rpartition(':')[2]}() makes {type(module).__name__}"
        raise UnknownArchitectureError(f"architecture {architecture!r}: {made} instead of a torch.nn.Module")
    return Model.of(module, architecture)


pretrained = make
"""The function decides which parameters its network comes with."""
