"""Files of parameters, read safely and fitted to a network with every misfit named."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tracer.errors import CheckpointError
from tracer.files import require_regular

_SHOWN = 3
"""How many keys a message lists before it only counts."""

_AUXILIARY = re.compile(r"(aux1|aux2|AuxLogits)\.")
"""Heads of GoogLeNet and Inception that only training uses."""

_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")
"""Keys of DenseNet files from before module names lost their dots, as torchvision still distributes them."""


_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
"""Where training scripts keep the parameters, beside their optimizer's state; the first that is there is taken."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of parameters by name, on the CPU; nothing in the file is executed.

    The file is one of ``torch.save``, or a ``.safetensors``. Dictionaries around the parameters are unwrapped, as in
    ``{"epoch": 3, "model": {"state_dict": {...}}}``.

    Raises:
        CheckpointError: If the file is missing, corrupt, or holds something else.
    """
    try:
        require_regular(path)
        content = _read(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint; check the path") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error}); name a checkpoint") from error
    except Exception as error:  # torch.load raises whatever the pickled bytes bring about
        raise CheckpointError(
            f"{path}: not a checkpoint that can be read safely ({type(error).__name__}); "
            "write it with torch.save(model.state_dict(), FILE), or as .safetensors"
        ) from error
    while isinstance(content, dict):
        inner = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), dict)), None)
        if inner is None:
            break
        content = inner
    _check_content(path, content)
    return dict(content)


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def fit_checkpoint(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Copy the tensors into the module, converted to its types.

    A prefix that wrappers put before every key is taken off, such as ``module.`` (``DataParallel``), ``_orig_mod.``
    (``torch.compile``) or ``model.`` (Lightning), also several of them. The auxiliary heads of torchvision's GoogLeNet
    and Inception are left out, and counters of batches that old files lack keep their value.

    Args:
        module: The network; changed only when everything fits.
        tensors: Parameters and buffers by name.
        name: What messages call the checkpoint.

    Raises:
        CheckpointError: If keys are missing or left over, a shape differs, or a value is not finite; names the keys.
    """
    expected = module.state_dict()
    fit = _Fit.of(tensors, expected)
    shapes = [f"{key} {tuple(fit.given[key].shape)} for {tuple(expected[key].shape)}" for key in fit.reshaped]
    misfits = [
        f"{label} {_listed(keys)}"
        for label, keys in (("missing", fit.missing), ("left over", fit.surplus), ("of another shape", shapes))
        if keys
    ]
    if misfits:
        under = f", under the prefix {fit.prefix!r}" if fit.prefix else ""
        raise CheckpointError(f"{name} does not fit the network{under}: {'; '.join(misfits)}")
    unsound = [key for key, value in fit.given.items() if value.is_floating_point() and not value.isfinite().all()]
    if unsound:
        raise CheckpointError(f"{name} holds values that are not finite in {_listed(unsound)}")
    expected.update(fit.given)  # keeps the module's own version marks, which plain files lack
    module.load_state_dict(expected)


def other_classes(module: nn.Module, tensors: Mapping[str, Tensor]) -> int | None:
    """How many classes the tensors are for, where that alone keeps them from fitting the module; else ``None``.

    Such are the parameters of a network that was fine-tuned for classes of its own: only the outputs of the last layer
    are more or fewer.

    Args:
        module: The network, which is left as it is.
        tensors: Parameters and buffers by name.
    """
    expected = module.state_dict()
    fit = _Fit.of(tensors, expected)
    if fit.missing or fit.surplus or not fit.reshaped:
        return None
    shapes = [(fit.given[key].shape, expected[key].shape) for key in fit.reshaped]
    if any(given[1:] != own[1:] or not (len(given) and given[0]) for given, own in shapes):
        return None
    counts = {(given[0], own[0]) for given, own in shapes}
    return int(counts.pop()[0]) if len(counts) == 1 else None


@dataclass(frozen=True)
class _Fit:
    """How the tensors of a file meet those that a network expects.

    Args:
        given: The tensors by the network's names.
        prefix: What stood before those names in the file.
        missing: Names that the file lacks.
        surplus: Names that the network lacks.
        reshaped: Names whose shapes differ.
    """

    given: Mapping[str, Tensor]
    prefix: str
    missing: Sequence[str]
    surplus: Sequence[str]
    reshaped: Sequence[str]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> "_Fit":
        """The tensors held against a ``state_dict``."""
        renamed = {_DENSENET.sub(r"\1\2", key): value for key, value in tensors.items()}
        prefix = _prefix(renamed, expected)
        given = {key.removeprefix(prefix): value for key, value in renamed.items()}
        given = {key: value for key, value in given.items() if key in expected or not _AUXILIARY.match(key)}
        return cls(
            given,
            prefix,
            [key for key in expected if key not in given and not key.endswith("num_batches_tracked")],
            [key for key in given if key not in expected],
            [key for key, value in given.items() if key in expected and value.shape != expected[key].shape],
        )


def _prefix(given: Collection[str], expected: Collection[str]) -> str:
    """What stands before the network's keys in a file: the prefix with which most of them are there; often nothing."""
    first = next(iter(expected), "")
    prefixes = ["", *sorted(key.removesuffix(first) for key in given if key.endswith(f".{first}"))]
    return max(prefixes, key=lambda prefix: sum(prefix + key in given for key in expected))


def _check_content(path: Path, content: Any) -> None:
    if not isinstance(content, dict) or not content:
        raise CheckpointError(f"{path}: holds {type(content).__name__} instead of a state_dict of tensors")
    strange = [str(key) for key, value in content.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if strange:
        raise CheckpointError(f"{path}: not a state_dict, for it holds more than tensors: {_listed(strange)}")


def _listed(keys: Iterable[str]) -> str:
    keys = list(keys)
    rest = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + rest
