"""Where networks come from, one source a file: torchvision, timm (with the Hugging Face hub), the user's own code.

An architecture is written ``SOURCE:NAME``, a network of torchvision by its name alone, and one of the user's own as
``MODULE:FACTORY`` or ``FILE.py:FACTORY``. Each module here has two functions. ``make`` returns the network with
parameters as its code initialises them, for another number of classes where one is given. ``pretrained`` returns it
with the parameters that it comes with.
"""

import importlib
from types import ModuleType

_SOURCES = {"timm": "timm", "hf-hub": "timm", "local-dir": "timm"}
"""The module of each source that is written before a colon."""


def source_of(architecture: str) -> ModuleType:
    """The module here that makes an architecture."""
    return importlib.import_module(f"{__name__}.{_module(architecture)}")


def is_own(architecture: str) -> bool:
    """Whether a function of the user's own makes an architecture."""
    return _module(architecture) == "own"


def _module(architecture: str) -> str:
    prefix, colon, _ = architecture.partition(":")
    return _SOURCES.get(prefix, "own") if colon else "torchvision"
