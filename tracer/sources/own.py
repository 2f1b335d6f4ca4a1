"""Networks of the user's own: ``"package.module:factory"`` or ``"path/to/file.py:factory"``."""

import torch
from torch import nn

from tracer.errors import CheckpointError, FactoryError, UnknownArchitectureError
from tracer.factories import make as call
from tracer.models import Model


def make(architecture: str, classes: int | None = None) -> Model:
    """The network that a function of the user's own makes.

    Raises:
        CheckpointError: If another number of classes is asked for: the function alone decides it.
        UnknownArchitectureError: If the function is not there, fails, or makes something else.
    """
    if classes is not None:
        raise CheckpointError(
            f"the checkpoint is for {classes} classes, and {architecture!r} makes a network for another number; "
            f"let the function make it for {classes}"
        )
    try:
        with torch.random.fork_rng(devices=[]):
            module = call(architecture)
    except FactoryError as error:
        raise UnknownArchitectureError(f"architecture {error}") from error
    if not isinstance(module, nn.Module):
        made = f"{architecture.rpartition(':')[2]}() makes {type(module).__name__}"
        raise UnknownArchitectureError(f"architecture {architecture!r}: {made} instead of a torch.nn.Module")
    return Model.of(module, architecture)


def pretrained(architecture: str) -> Model:
    """What :func:`make` returns: the function decides which parameters its network comes with."""
    return make(architecture)
