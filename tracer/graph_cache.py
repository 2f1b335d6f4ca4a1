"""Graphs that were captured before, kept as files: capturing one takes seconds, reading it milliseconds.

A file is named by everything that a graph can depend on: the source of the modules' classes, their attributes, the
shapes of their parameters, the size of the images and torch's version. A module of which some of that cannot be told is
captured each time. Files are written whole or not at all, a damaged one counts as missing, and who reads a graph
compares what it computes with the module itself (:class:`tracer.network.Network`).
"""

import functools
import hashlib
import logging
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn

from tracer.errors import OutputError
from tracer.files import cache_folder, open_regular, write_atomically
from tracer.graph import Graph
from tracer.preprocessing import Preprocessing

logger = logging.getLogger(__name__)

_FORMAT = 1
_KEPT = 256
_OWN = frozenset(vars(nn.Module()))  # what every module has: parameters, hooks, its mode
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


class _UnknownError(Exception):
    """Something that a graph may depend on and that cannot be named."""


def place(module: nn.Module, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Path | None:
    """The file of a module's graph, which need not exist; ``None`` where something of the module cannot be named."""
    digest = hashlib.sha256()
    try:
        for part in (_FORMAT, torch.__version__, shape, device.type, dtype, *_descriptions(module)):
            digest.update(repr(part).encode() + b"\0")
        return cache_folder() / "graphs" / f"{digest.hexdigest()[:32]}.json"
    except (_UnknownError, OutputError) as reason:
        logger.debug("the graph of %s is not kept: %s", type(module).__name__, reason)
        return None


def read(path: Path | None) -> Graph | None:
    """The graph in a file; ``None`` where there is none, or none that is whole."""
    if path is None:
        return None
    try:
        with open_regular(path) as file:
            return Graph.from_json(file.read().decode())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write(path: Path | None, graph: Graph) -> None:
    """Keep a graph, where its file can be written; of many, the oldest files are deleted."""
    if path is None:
        return
    try:
        write_atomically(path, graph.to_json().encode(), make_folder=True)
        oldest = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)[:-_KEPT]
        for file in oldest:
            file.unlink(missing_ok=True)
    except (OSError, OutputError, TypeError) as error:
        logger.debug("the graph is not kept: %s", error)


def _descriptions(module: nn.Module) -> Iterator[Any]:
    for path, part in module.named_modules(remove_duplicate=False):
        if any(getattr(part, hooks) for hooks in _HOOKS):
            raise _UnknownError(f"{path} has hooks")
        yield path, _described(type(part))
        yield sorted((name, _described(value)) for name, value in vars(part).items() if name not in _OWN)
        for name, tensor in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            yield name, tuple(tensor.shape), tensor.dtype


def _described(value: Any) -> str:
    """A text that differs where the value differs in a way that a graph may show."""
    if value is None or isinstance(
        value, bool | int | float | str | bytes | Enum | torch.dtype | torch.device | torch.Size
    ):
        return repr(value)
    if isinstance(value, tuple | list | set | frozenset):
        parts = [_described(each) for each in value]
        return f"{type(value).__name__}({', '.join(sorted(parts) if isinstance(value, set | frozenset) else parts)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_described(key)}: {_described(each)}' for key, each in value.items())}}}"
    if isinstance(value, functools.partial):
        return f"partial({_described(value.func)}, {_described(value.args)}, {_described(value.keywords)})"
    if type(value) is Preprocessing:  # how images enter, which a network may carry along
        return repr(value)
    if isinstance(value, type | BuiltinFunctionType | FunctionType):
        held = _described(_held(value)) if isinstance(value, FunctionType) else ""
        bases = value.__mro__[:-1] if isinstance(value, type) else (value,)
        return f"{value.__module__}.{value.__qualname__}@{[_source(base.__module__) for base in bases]}{held}"
    raise _UnknownError(f"an attribute {value!r:.80}")


def _held(function: FunctionType) -> list[Any]:
    """What a function holds beside its code."""
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    return [*closure, function.__defaults__, function.__kwdefaults__]


@functools.cache
def _source(module: str | None) -> str:
    """A hash of the file of a Python module; what torch compiles has its version instead."""
    found = sys.modules.get(module or "")
    file = getattr(found, "__file__", None)
    if file is None and (module or "").split(".")[0] not in ("builtins", "torch", "math", "_operator"):
        raise _UnknownError(f"no source of {module}")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else "compiled"
