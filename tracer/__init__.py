"""Explain a CNN by tracing its prediction back to the discriminative pixels of the image.

Names are imported at first use, so that ``import tracer`` costs nothing and ``tracer --help`` answers at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.config import TraceConfig
    from tracer.errors import TracerError
    from tracer.evidence import Alpha
    from tracer.models import Model, architectures, load_model
    from tracer.preprocessing import Preprocessing

__all__ = [
    "Alpha",
    "Model",
    "Preprocessing",
    "TraceConfig",
    "TracerError",
    "architectures",
    "load_model",
]

_HOMES = {
    "Alpha": "evidence",
    "Model": "models",
    "Preprocessing": "preprocessing",
    "TraceConfig": "config",
    "TracerError": "errors",
    "architectures": "models",
    "load_model": "models",
}
"""The module of each public name; the imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
