"""A network to explain: its architecture, its parameters and how an image enters it."""

import hashlib
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from PIL import Image
from torch import nn

from tracer.checkpoints import fit_checkpoint, read_checkpoint
from tracer.errors import (
    CheckpointError,
    DeviceError,
    FactoryError,
    TargetError,
    UnknownArchitectureError,
    UnsupportedArchitectureError,
    nearest,
)
from tracer.factories import make
from tracer.files import sha256
from tracer.network import class_scores
from tracer.preprocessing import Preprocessing

_TRANSFORMERS = {"vision_transformer", "swin_transformer", "maxvit"}
"""torchvision's modules of networks with attention."""


@dataclass(frozen=True)
class Model:
    """A network in eval mode with what is needed to feed it and to name its classes.

    Args:
        architecture: The name it was made from, as :func:`load_model` takes it.
        module: The network; takes (b, 3, h, w) and returns class scores (b, classes).
        preprocessing: Turns an image into the network's input.
        checkpoint_sha256: Hash of the file its parameters came from; ``None`` where there was none.
        categories: Names of the classes by index; ``None`` where they are not known.
    """

    architecture: str
    module: nn.Module
    preprocessing: Preprocessing
    checkpoint_sha256: str | None = None
    categories: tuple[str, ...] | None = None

    @classmethod
    def of(cls, module: nn.Module, architecture: str | None = None, checkpoint_sha256: str | None = None) -> "Model":
        """A module of the user's own, left as it is.

        Its attributes ``preprocessing`` (a :class:`Preprocessing`) and ``categories`` (class names by index) are taken
        where it has them; without them it takes 224 x 224 pixels, normalised as torchvision does for ImageNet.
        """
        preprocessing = getattr(module, "preprocessing", None)
        categories = getattr(module, "categories", None)
        return cls(
            architecture or type(module).__name__,
            module,
            preprocessing if isinstance(preprocessing, Preprocessing) else Preprocessing(),
            checkpoint_sha256,
            tuple(map(str, categories)) if isinstance(categories, (list, tuple)) else None,
        )

    @property
    def device(self) -> torch.device:
        """Where the network's parameters lie; the CPU for a network without any."""
        parameter = next(self.module.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device

    @cached_property
    def parameters_sha256(self) -> str:
        """A hash of the parameters and buffers that the network holds, wherever they came from, 64 hexadecimal digits.

        It covers the name, type, shape and bytes of every tensor of the ``state_dict``, in the order of their names. So
        it is the same on every device, and for every file that the same tensors were read from. It is taken once, when
        it is first asked for.
        """
        digest = hashlib.sha256()
        for name, value in sorted(self.module.state_dict().items()):
            if isinstance(value, torch.Tensor):  # else what a module adds of its own, as get_extra_state
                digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\n".encode())
                digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def preprocess(self, image: Image.Image, side: int | None = None) -> torch.Tensor:
        """The network's input for the whole image, float32 of shape (3, h, w), normalised, on the CPU.

        Args:
            image: A picture of any size and mode.
            side: Height and width of the input in pixels; ``None`` for the network's own.

        Raises:
            ImageError: If the image has no clear RGB reading.
        """
        return (self.preprocessing if side is None else replace(self.preprocessing, height=side, width=side))(image)

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        """The class scores of a batch (b, 3, h, w) that is normalised for the network, shape (b, classes).

        Raises:
            ExportError: If the network returns more than its class scores.
        """
        return class_scores(self.module(batch))

    def predict(self, image: Image.Image, limit: int = 1) -> list[tuple[int, float]]:
        """The most probable classes with their softmax probabilities, highest first.

        Raises:
            ImageError: If the image has no clear RGB reading.
            ExportError: If the network returns more than its class scores.
        """
        parameter = next(self.module.parameters(), None)
        batch = self.preprocess(image)[None].to(self.device, None if parameter is None else parameter.dtype)
        with torch.inference_mode():
            probabilities = self.scores(batch)[0].float().softmax(0)
        highest = probabilities.topk(min(limit, len(probabilities)))
        return list(zip(highest.indices.tolist(), highest.values.tolist(), strict=True))

    def class_name(self, index: int) -> str:
        """The name of a class, or ``class 7`` where names are not known."""
        known = self.categories is not None and 0 <= index < len(self.categories)
        return self.categories[index] if self.categories is not None and known else f"class {index}"

    def class_index(self, target: str | int) -> int:
        """The index of a class given by its index or, in any case, its name.

        Raises:
            TargetError: If the network has no such class; names the nearest.
        """
        text = str(target).strip()
        if text.isdecimal():
            if len(text) > 18:
                raise TargetError(f"target of {len(text)} digits: no network has so many classes; give an index")
            index = int(text)
            if self.categories is not None and index >= len(self.categories):
                raise TargetError(f"target {text}: {self.architecture} has classes 0 to {len(self.categories) - 1}")
            return index
        if self.categories is None:
            raise TargetError(f"target {text!r}: the classes of {self.architecture} have no names; give an index")
        names = {name.lower(): index for index, name in reversed(list(enumerate(self.categories)))}
        if text.lower() not in names:
            raise TargetError(f"target {text!r}: no such class{nearest(text, self.categories)}")
        return names[text.lower()]


def architectures() -> tuple[str, ...]:
    """Names of torchvision's classifiers that can be traced: its CNNs, not its transformers."""
    from torchvision import models

    return tuple(name for name in models.list_models(module=models) if not _is_transformer(name))


def load_model(architecture: str, checkpoint: str | Path | None = None, *, device: str | torch.device = "cpu") -> Model:
    """A network with its parameters, in eval mode and float32, ready to be traced.

    Args:
        architecture: A name of :func:`architectures`, or a function that makes the network:
            ``"package.module:factory"`` or ``"path/to/file.py:factory"`` (see :meth:`Model.of`).
        checkpoint: A file of parameters (``torch.save(model.state_dict(), FILE)``, of any precision). ``None`` means
            torchvision's default weights, downloaded at first use, or what the user's function makes.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        UnknownArchitectureError: If the name stands for nothing; gives the nearest.
        UnsupportedArchitectureError: If the network is a transformer.
        CheckpointError: If the checkpoint is missing, corrupt, or does not fit; names the keys.
        DeviceError: If there is no such device.
    """
    place = _device(device)
    model = _user_model(architecture) if ":" in architecture else _torchvision_model(architecture)
    path = None if checkpoint is None else Path(checkpoint)
    if path is None and ":" not in architecture:
        path = _default_checkpoint(architecture)
    digest = None
    if path is not None:
        fit_checkpoint(model.module, read_checkpoint(path), str(path))
        digest = sha256(path)
    module = model.module.eval().to(place)
    return Model(architecture, module, model.preprocessing, digest, model.categories)


def _device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"device {str(device)!r} is not at hand here; use 'cpu'") from error
    return place


def _is_transformer(name: str) -> bool:
    from torchvision import models

    return models.get_model_builder(name).__module__.rpartition(".")[2] in _TRANSFORMERS


def _torchvision_model(name: str) -> Model:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UnknownArchitectureError(
            f"architecture {name!r} is not a torchvision classifier{nearest(name, known)}; "
            "write one of `tracer architectures`, MODULE:FACTORY or FILE.py:FACTORY"
        )
    if _is_transformer(name):
        raise UnsupportedArchitectureError(
            f"architecture {name!r} is a vision transformer: its attention mixes all places by weights that the image "
            "itself sets, so no fixed filter leads from a neuron back to its pixels; choose a CNN"
        )
    # Auxiliary heads take part in training only; making their random parameters would take seconds.
    options = {"aux_logits": False, "init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    with torch.random.fork_rng(devices=[]):
        module = models.get_model(name, weights=None, **options)
    weights = models.get_model_weights(name).DEFAULT
    return Model(name, module, _torchvision_preprocessing(name, weights), None, tuple(weights.meta["categories"]))


def _torchvision_preprocessing(name: str, weights: Any) -> Preprocessing:
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


def _user_model(architecture: str) -> Model:
    try:
        with torch.random.fork_rng(devices=[]):
            module = make(architecture)
    except FactoryError as error:
        raise UnknownArchitectureError(f"architecture {error}") from error
    if not isinstance(module, nn.Module):
        made = f"{architecture.rpartition(':')[2]}() makes {type(module).__name__}"
        raise UnknownArchitectureError(f"architecture {architecture!r}: {made} instead of a torch.nn.Module")
    return Model.of(module, architecture)
