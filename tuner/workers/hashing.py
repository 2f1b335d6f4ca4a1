"""Hashes of the network and the code that a process has loaded."""

import contextlib
import functools
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import sha256
from types import CellType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tracer import Model, files
from tracer.factories import source_files
from tracer.models import tensors_sha256
from tuner.spec.job import JobSpec
from tuner.spec.reward import AgreementReward
from tuner.workers.identity import Identity, factories


def identify(spec: JobSpec, model: Model, *made: object) -> Identity:
    """What was loaded in this process.

    Args:
        spec: The job.
        model: Its network.
        *made: What else was made for it, and not used yet: an explainer may keep tensors of images.
    """
    return Identity(model.parameters_sha256, _code_sha256(spec, model, made))


def _code_sha256(spec: JobSpec, model: Model, made: Iterable[object]) -> str | None:
    named = factories(spec)
    sources = [path for each in named for path in source_files(each)]
    read = [spec.reward.weights] if isinstance(spec.reward, AgreementReward) and spec.reward.weights else []
    if not named and not read:
        return None
    hashes = [files.sha256(path) for path in [*sources, *read]]
    known = model.module.state_dict(keep_vars=True).values()
    held = _held([model.module, *made], known, frozenset(map(str, sources)))
    hashes.append(tensors_sha256((str(place), value) for place, value in enumerate(held)))
    return sha256("\n".join(hashes).encode()).hexdigest()


def _held(roots: Iterable[object], known: Iterable[Tensor], sources: frozenset[str]) -> Iterator[Tensor]:
    """Tensors and arrays that objects hold, each once, in an order that follows from the code alone."""
    waiting = [*roots][::-1]
    seen: dict[int, object] = {id(each): each for each in known}
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each  # keeps it alive, so that no other object gets its id
        if isinstance(each, np.ndarray) and each.dtype.kind in "biufc":
            yield torch.from_numpy(np.array(each, dtype=each.dtype.newbyteorder("=")))
        elif isinstance(each, Tensor) and each.layout == torch.strided and not each.is_meta:
            yield each
        else:
            waiting += [*_parts(each, sources)][::-1]


def _parts(value: object, sources: frozenset[str]) -> Iterable[Any]:
    """What an object holds that may be a tensor, or hold one."""
    parts: Iterable[Any] = ()
    match value:
        case dict():
            parts = value.values()
        case list() | tuple() | deque():
            parts = value
        case functools.partial():
            parts = (value.func, value.args, value.keywords)
        case MethodType():
            parts = (value.__func__, value.__self__)
        case FunctionType():
            used = value.__code__.co_names if value.__code__.co_filename in sources else ()
            kept = (*_contents(value.__closure__ or ()), value.__defaults__, value.__kwdefaults__)
            parts = (*kept, *map(value.__globals__.get, used))
        case type():
            if getattr(sys.modules.get(value.__module__), "__file__", None) in sources:
                parts = vars(value).values()
        case ModuleType():
            pass
        case _:
            parts = (*getattr(value, "__dict__", {}).values(), *_slots(value), type(value))
    return parts


def _slots(value: object) -> Iterator[Any]:
    """What an object holds in the ``__slots__`` of its classes."""
    for kind in type(value).__mro__:
        for part in vars(kind).values():
            if isinstance(part, MemberDescriptorType):
                with contextlib.suppress(AttributeError):  # it has no value yet
                    yield part.__get__(value)


def _contents(closure: Iterable[CellType]) -> Iterator[Any]:
    for cell in closure:
        with contextlib.suppress(ValueError):  # a variable that has no value yet
            yield cell.cell_contents
