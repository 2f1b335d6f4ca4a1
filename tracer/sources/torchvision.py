"""torchvision's classifiers, by their names."""

import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch

from tracer.errors import CheckpointError, UnknownArchitectureError, UnsupportedArchitectureError, nearest
from tracer.models import Model
from tracer.preprocessing import Preprocessing

_TRANSFORMERS = {"vision_transformer", "swin_transformer", "maxvit"}
"""torchvision's modules of networks with attention."""


def names() -> tuple[str, ...]:
    """The classifiers that can be traced: the CNNs, not the transformers."""
    from torchvision import models

    return tuple(name for name in models.list_models(module=models) if not _is_transformer(name))


def make(name: str, classes: int | None = None) -> Model:
    """A classifier with random parameters.

    Args:
        name: Its name.
        classes: How many it tells apart; ``None`` for ImageNet's.

    Raises:
        UnknownArchitectureError: If torchvision has no such classifier; gives the nearest.
        UnsupportedArchitectureError: If it is a transformer.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownArchitectureError(
            f"architecture {name!r} is not a torchvision classifier{nearest(name, known)}; "
            "write one of `tracer architectures`, timm:NAME, hf-hub:NAME, MODULE:FACTORY or FILE.py:FACTORY"
        )
    if _is_transformer(name):
        raise UnsupportedArchitectureError(
            f"architecture {name!r} is a vision transformer: its attention mixes all places by weights that the image "
            "itself sets, so no fixed filter leads from a neuron back to its pixels; choose a CNN"
        )
    # Auxiliary heads take part in training only; making their random parameters would take seconds.
    options: dict[str, Any] = (
        {"aux_logits": False, "init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    )
    if classes is not None:
        options["num_classes"] = classes
    with torch.random.fork_rng(devices=[]):
        module = models.get_model(name, weights=None, **options)
    weights = models.get_model_weights(name).DEFAULT
    categories = None if classes is not None else tuple(weights.meta["categories"])
    return Model(name, module, _preprocessing(name, weights), None, categories)


def pretrained(name: str) -> Model:
    """A classifier with torchvision's default weights, downloaded at first use.

    Raises:
        CheckpointError: If they cannot be downloaded.
        UnknownArchitectureError, UnsupportedArchitectureError: As :func:`make`.
    """
    return make(name).with_checkpoint(_default_checkpoint(name))


def _is_transformer(name: str) -> bool:
    from torchvision import models

    return models.get_model_builder(name).__module__.rpartition(".")[2] in _TRANSFORMERS


def _preprocessing(name: str, weights: Any) -> Preprocessing:
    transforms = weights.transforms()
    side = transforms.crop_size[0]
    if name in {"googlenet", "inception_v3"}:
        # torchvision's files for these two expect pixels from -1 to 1: its `transform_input` renormalises inside the
        # network. Doing so before it gives the same numbers and a graph that starts at the first convolution.
        return Preprocessing(side, side, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    return Preprocessing(side, side, tuple(transforms.mean), tuple(transforms.std))


def _default_checkpoint(name: str) -> Path:
    """The file of torchvision's default weights in torch's cache, downloaded at first use."""
    from torchvision import models

    weights = models.get_model_weights(name).DEFAULT
    path = Path(str(torch.hub.get_dir())) / "checkpoints" / str(weights.url).rpartition("/")[2]
    try:
        if not path.exists():
            weights.get_state_dict(progress=sys.stderr.isatty(), check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", None) or error
        raise CheckpointError(
            f"torchvision's weights of {name} could not be downloaded from {weights.url} ({reason}); "
            "give a checkpoint file"
        ) from error
    return path
