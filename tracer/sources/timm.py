"""timm's networks: ``"timm:NAME"``, ``"hf-hub:OWNER/NAME"`` and ``"local-dir:FOLDER"`` (a folder as the hub keeps one).

Input size, normalisation, interpolation and names of the classes are those of the network's own configuration, which
timm keeps for its names, and a repository or folder in its ``config.json``.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from tracer.errors import CheckpointError, TracerError, UnknownArchitectureError, nearest
from tracer.models import Model
from tracer.preprocessing import Preprocessing


def make(architecture: str, classes: int | None = None) -> Model:
    """A network with random parameters.

    Args:
        architecture: Its name.
        classes: How many it tells apart; ``None`` for as many as its configuration says.

    Raises:
        UnknownArchitectureError: If timm is not installed, the name stands for nothing (gives the nearest), or the
            configuration cannot be read.
    """
    name = _name(architecture)
    with _blamed(UnknownArchitectureError, f"architecture {architecture!r} could not be made"):
        return _made(architecture, name, pretrained=False, **({} if classes is None else {"num_classes": classes}))


def pretrained(architecture: str) -> Model:
    """A network with the parameters that its configuration names, downloaded at first use.

    Raises:
        CheckpointError: If there are none, or they cannot be downloaded or do not fit.
        UnknownArchitectureError: As :func:`make`.
    """
    name = _name(architecture)
    with _blamed(CheckpointError, f"no parameters of {architecture!r}; give a checkpoint file"):
        return _made(architecture, name, pretrained=True)


def _name(architecture: str) -> str:
    """What timm calls a network."""
    try:
        import timm
    except ImportError as error:
        raise UnknownArchitectureError(f"{architecture!r} needs timm: pip install 'bandit-tracer[timm]'") from error
    name = architecture.removeprefix("timm:")
    if name != architecture and not timm.is_model(name):
        known = [*timm.list_models(), *timm.list_pretrained()]
        raise UnknownArchitectureError(f"architecture {architecture!r}: timm has no such network{nearest(name, known)}")
    return name


def _made(architecture: str, name: str, **options: Any) -> Model:
    import timm

    with torch.random.fork_rng(devices=[]):
        module = timm.create_model(name, **options)
    return Model(architecture, module, _preprocessing(module), None, _categories(module))


@contextlib.contextmanager
def _blamed(kind: type[TracerError], said: str) -> Iterator[None]:
    """Whatever timm and the hub raise becomes one line."""
    try:
        yield
    except Exception as error:
        raise kind(f"{said} ({type(error).__name__}: {' '.join(str(error).split())})") from error


def _preprocessing(module: Any) -> Preprocessing:
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(module)
    channels, height, width = config["input_size"]
    mean, std = (tuple(config[name]) for name in ("mean", "std"))
    if channels == 1:  # timm gives the mean of each colour
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return Preprocessing(height, width, mean, std, config["interpolation"])


def _categories(module: Any) -> tuple[str, ...] | None:
    """Names of the classes: those of the configuration, else the first word of ImageNet's for their number."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    config, classes = module.pretrained_cfg, module.num_classes
    names = config.get("label_names")
    if names and len(names) == classes:
        described = config.get("label_descriptions") or {}
        return tuple(str(described.get(name, name)) for name in names)
    subset = infer_imagenet_subset(module)
    if subset is None:
        return None
    return tuple(description.partition(",")[0] for description in ImageNetInfo(subset).label_descriptions())
