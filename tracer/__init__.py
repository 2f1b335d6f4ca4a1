"""Explain a CNN by tracing its prediction back to the discriminative pixels of the image.

Names are imported at first use, so that ``import tracer`` costs nothing and ``tracer --help`` answers at once.
"""

from typing import TYPE_CHECKING

from tracer.lazy import at_first_use

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
    "SETTINGS": "tracer.settings",
    "Alpha": "tracer.evidence",
    "Elementwise": "tracer.rules",
    "Explanation": "tracer.explanation",
    "Model": "tracer.models",
    "Preprocessing": "tracer.preprocessing",
    "Settings": "tracer.settings",
    "Trace": "tracer.reading",
    "TraceConfig": "tracer.config",
    "Tracer": "tracer.trace",
    "TracerAttribution": "tracer.attribution",
    "TracerError": "tracer.errors",
    "Weights": "tracer.weights",
    "architectures": "tracer.models",
    "learned_weights": "tracer.weights",
    "load_model": "tracer.models",
    "load_weights": "tracer.weights",
    "register_rule": "tracer.rules",
}
"""The module of each public name; the imports above say the same to type checkers."""

__getattr__, __dir__ = at_first_use(__name__, _HOMES)
