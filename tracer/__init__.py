"""Explain a CNN by tracing its prediction back to the discriminative pixels of the image.

Names are imported at first use, so that ``import tracer`` costs nothing and ``tracer --help`` answers at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.attribution import TracerAttribution
    from tracer.config import TraceConfig
    from tracer.errors import TracerError
    from tracer.evidence import Alpha
    from tracer.explanation import Explanation
    from tracer.models import Model, architectures, load_model
    from tracer.preprocessing import Preprocessing
    from tracer.reading import Trace
    from tracer.rules import Elementwise, register_rule
    from tracer.settings import SETTINGS, Settings
    from tracer.trace import Tracer
    from tracer.weights import Weights, learned_weights, load_weights

__all__ = [
    "SETTINGS",
    "Alpha",
    "Elementwise",
    "Explanation",
    "Model",
    "Preprocessing",
    "Settings",
    "Trace",
    "TraceConfig",
    "Tracer",
    "TracerAttribution",
    "TracerError",
    "Weights",
    "architectures",
    "learned_weights",
    "load_model",
    "load_weights",
    "register_rule",
]

_HOMES = {
    "SETTINGS": "settings",
    "Alpha": "evidence",
    "Elementwise": "rules",
    "Explanation": "explanation",
    "Model": "models",
    "Preprocessing": "preprocessing",
    "Settings": "settings",
    "Trace": "reading",
    "TraceConfig": "config",
    "Tracer": "trace",
    "TracerAttribution": "attribution",
    "TracerError": "errors",
    "Weights": "weights",
    "architectures": "models",
    "learned_weights": "weights",
    "load_model": "models",
    "load_weights": "weights",
    "register_rule": "rules",
}
"""The module of each public name; the imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
