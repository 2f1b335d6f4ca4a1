"""Files of parameters, read safely and fitted to a network with every misfit named."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tracer.errors import CheckpointError

_SHOWN = 3
"""How many keys a message lists before it only counts."""

_AUXILIARY = re.compile(r"(aux1|aux2|AuxLogits)\.")
"""Heads of GoogLeNet and Inception that only training uses."""

_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")
"""Keys of DenseNet files from before module names lost their dots, as torchvision still distributes them."""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``state_dict`` file by name, on the CPU; nothing in the file is executed.

    A dictionary that wraps them as ``state_dict`` or ``model`` is unwrapped.

    Raises:
        CheckpointError: If the file is missing, corrupt, or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint; check the path") from error
    except Exception as error:  # torch.load raises whatever the pickled bytes bring about
        raise CheckpointError(
            f"{path}: not a checkpoint that can be read safely ({type(error).__name__}); "
            "write it with torch.save(model.state_dict(), FILE)"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    _check_content(path, content)
    return dict(content)


def fit_checkpoint(module: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Copy the tensors into the module, converted to its types.

    The prefix ``module.`` that ``DataParallel`` puts before every key is taken off, unless the network's own keys begin
    with it. The auxiliary heads of torchvision's GoogLeNet and Inception are left out, and counters of batches that old
    files lack keep their value.

    Args:
        module: The network; changed only when everything fits.
        tensors: Parameters and buffers by name.
        name: What messages call the checkpoint.

    Raises:
        CheckpointError: If keys are missing or left over, a shape differs, or a value is not finite; names the keys.
    """
    expected = module.state_dict()
    wrapped = all(key.startswith("module.") and key not in expected for key in tensors)
    unwrapped = {key.removeprefix("module."): value for key, value in tensors.items()} if wrapped else tensors
    given = {_DENSENET.sub(r"\1\2", key): value for key, value in unwrapped.items()}
    given = {key: value for key, value in given.items() if key in expected or not _AUXILIARY.match(key)}
    missing = [key for key in expected if key not in given and not key.endswith("num_batches_tracked")]
    surplus = [key for key in given if key not in expected]
    shapes = [
        f"{key} {tuple(value.shape)} for {tuple(expected[key].shape)}"
        for key, value in given.items()
        if key in expected and value.shape != expected[key].shape
    ]
    misfits = [
        f"{label} {_listed(keys)}"
        for label, keys in (("missing", missing), ("left over", surplus), ("of another shape", shapes))
        if keys
    ]
    if misfits:
        raise CheckpointError(f"{name} does not fit the network: {'; '.join(misfits)}")
    unsound = [key for key, value in given.items() if value.is_floating_point() and not value.isfinite().all()]
    if unsound:
        raise CheckpointError(f"{name} holds values that are not finite in {_listed(unsound)}")
    expected.update(given)  # keeps the module's own version marks, which plain files lack
    module.load_state_dict(expected)


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
