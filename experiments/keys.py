"""What a record is known by: a hash of everything that decides what it holds."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from experiments.methods import Method, Subject
from tracer import Model
from tuner.datasets import LabelledImage

PACKAGES = ("captum", "foolbox", "grad-cam", "numpy", "torch", "torchcam", "torchvision", "zennit")
"""Whose versions a record depends on, beside this project's own code."""

_ROOT = Path(__file__).parents[1]


class Keys:
    """The keys of an experiment's records.

    A key covers the image (pixels, label, boxes), the method, the network (parameters, structure, source), the
    tracer's settings where the method is the tracer, the experiment's own settings, and the versions of all code.

    Args:
        experiment: The experiment's name.
        settings: What else decides its records.
        subject: What is explained.
    """

    def __init__(self, experiment: str, settings: Mapping[str, Any], subject: Subject) -> None:
        traced = subject.settings
        self._common = {
            "experiment": experiment,
            "settings": dict(settings),
            "network": _network_sha256(subject.model),
            "versions": _versions(),
        }
        self._traced = traced.values() | {"layers": {name: asdict(alpha) for name, alpha in traced.layers.items()}}

    def of(self, method: Method, image: LabelledImage) -> str:
        """The key of what is recorded of an image by a method, 64 hexadecimal digits."""
        parts = self._common | {
            "method": method.name,
            "tracer": self._traced if method.traced else None,
            "image": [image.id, image.label, image.boxes.tolist(), image.pixels_sha256],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _network_sha256(model: Model) -> str:
    """A hash of parameters, layers, and the source of those layers that are no part of a package."""
    digest = hashlib.sha256(f"{model.parameters_sha256}\n{model.preprocessing}\n{model.module}\n".encode())
    own = {
        type(layer)
        for layer in model.module.modules()
        if not type(layer).__module__.startswith(("torch.", "torchvision."))
    }
    for file in sorted({inspect.getfile(kind) for kind in own}):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


@cache
def _versions() -> dict[str, str]:
    """Versions of the packages, and a hash of this project's code that makes maps and reads them."""
    digest = hashlib.sha256()
    for file in sorted(path for package in ("tracer", "experiments") for path in (_ROOT / package).rglob("*.py")):
        digest.update(file.read_bytes())
    return {"code": digest.hexdigest()} | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # of the extra `experiments`; whoever needs it will say so
        return ""
