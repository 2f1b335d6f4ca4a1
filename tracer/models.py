"""A network to explain: its architecture, its parameters and how an image enters it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from tracer.checkpoints import fit_checkpoint, other_classes, read_checkpoint
from tracer.errors import DeviceError, TargetError, nearest
from tracer.files import sha256
from tracer.network import Choice, class_scores
from tracer.preprocessing import Preprocessing
from tracer.sources import source_of


@dataclass(frozen=True)
class Model:
    """A network in eval mode with what is needed to feed it and to name its classes.

    Args:
        architecture: The name it was made from, as :func:`load_model` takes it.
        module: The network; takes (b, channels, h, w) and returns class scores (b, classes).
        preprocessing: Turns an image into the network's input.
        checkpoint_sha256: Hash of the file its parameters came from; ``None`` where there was none.
        categories: Names of the classes by index; ``None`` where they are not known.
        class_scores: Where the module returns more than class scores, which part of it they are: a name, a place, or a
            function that makes them of all that is returned.
    """

    architecture: str
    module: nn.Module
    preprocessing: Preprocessing
    checkpoint_sha256: str | None = None
    categories: tuple[str, ...] | None = None
    class_scores: Choice | None = None

    @classmethod
    def of(cls, module: nn.Module, architecture: str | None = None, checkpoint_sha256: str | None = None) -> "Model":
        """A module of the user's own, left as it is.

        Its attributes ``preprocessing`` (a :class:`Preprocessing`), ``categories`` (class names by index) and
        ``class_scores`` (which of several outputs to explain) are taken where it has them; without the first it takes
        224 x 224 pixels, normalised as torchvision does for ImageNet.

        Raises:
            TypeError: If it is no module.
        """
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"model of type {type(module).__name__}: give what tracer.load_model returns, or a torch.nn.Module"
            )
        preprocessing = getattr(module, "preprocessing", None)
        categories = getattr(module, "categories", None)
        choice = getattr(module, "class_scores", None)
        return cls(
            architecture or type(module).__name__,
            module,
            preprocessing if isinstance(preprocessing, Preprocessing) else Preprocessing(),
            checkpoint_sha256,
            tuple(map(str, categories)) if isinstance(categories, (list, tuple)) else None,
            None if isinstance(choice, nn.Module) else choice,
        )

    def with_checkpoint(self, path: Path) -> "Model":
        """The network with the parameters of a file, which are copied into its module.

        Raises:
            CheckpointError: If the file is missing, corrupt, or does not fit; names the keys.
        """
        return self.with_tensors(read_checkpoint(path), path)

    def with_tensors(self, tensors: Mapping[str, torch.Tensor], path: Path) -> "Model":
        """What :meth:`with_checkpoint` returns, of a file that was read.

        Args:
            tensors: What the file holds (:func:`tracer.checkpoints.read_checkpoint`).
            path: The file.

        Raises:
            CheckpointError: If they do not fit; names the keys.
        """
        fit_checkpoint(self.module, tensors, str(path))
        return replace(self, checkpoint_sha256=sha256(path))

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
        it is first asked for. What a module adds of its own, as ``get_extra_state``, is left out.
        """
        named = sorted(self.module.state_dict().items())
        return tensors_sha256((name, value) for name, value in named if isinstance(value, torch.Tensor))

    def preprocess(self, image: Image.Image, side: int | None = None) -> torch.Tensor:
        """The network's input for the whole image, float32 of shape (channels, h, w), normalised, on the CPU.

        Args:
            image: A picture of any size and mode.
            side: Height and width of the input in pixels; ``None`` for the network's own.

        Raises:
            ImageError: If the image has no clear RGB reading.
        """
        return (self.preprocessing if side is None else replace(self.preprocessing, height=side, width=side))(image)

    def scores(self, batch: torch.Tensor) -> torch.Tensor:
        """The class scores of a batch (b, channels, h, w) that is normalised for the network, shape (b, classes).

        Raises:
            ExportError: If the network returns more than its class scores, and nothing says which they are.
        """
        return class_scores(self.module(batch), self.class_scores)

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


def tensors_sha256(named: Iterable[tuple[str, torch.Tensor]]) -> str:
    """A hash of the name, type, shape and bytes of each tensor, 64 hexadecimal digits; the same on every device."""
    digest = hashlib.sha256()
    for name, value in named:
        digest.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def architectures() -> tuple[str, ...]:
    """Names of torchvision's classifiers that can be traced: its CNNs, not its transformers."""
    from tracer.sources import torchvision

    return torchvision.names()


def load_model(architecture: str, checkpoint: str | Path | None = None, *, device: str | torch.device = "cpu") -> Model:
    """A network with its parameters, in eval mode and float32, ready to be traced.

    Args:
        architecture: A name of :func:`architectures`; ``"timm:NAME"``, ``"hf-hub:OWNER/NAME"`` or
            ``"local-dir:FOLDER"`` (:mod:`tracer.sources.timm`); or a function that makes the network,
            ``"package.module:factory"`` or ``"path/to/file.py:factory"`` (see :meth:`Model.of`).
        checkpoint: A file of parameters (``torch.save(model.state_dict(), FILE)`` or safetensors, of any precision).
            ``None`` means the default weights of torchvision or timm, downloaded at first use, or what the user's
            function makes. A network of torchvision or timm gets as many classes as the file's last layer has; where
            that are not its usual ones, they have no names.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        UnknownArchitectureError: If the name stands for nothing; gives the nearest.
        UnsupportedArchitectureError: If the network is a transformer.
        CheckpointError: If the checkpoint is missing, corrupt, or does not fit; names the keys.
        DeviceError: If there is no such device.
    """
    place = _device(device)
    source = source_of(architecture)
    if checkpoint is None:
        model: Model = source.pretrained(architecture)
    else:
        tensors = read_checkpoint(Path(checkpoint))
        model = source.make(architecture)
        classes = other_classes(model.module, tensors)
        if classes is not None:
            model = source.make(architecture, classes)
        model = model.with_tensors(tensors, Path(checkpoint))
    return replace(model, module=model.module.eval().to(place))


def _device(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"device {str(device)!r} is not at hand here; use 'cpu'") from error
    return place
