"""Everything that steers an explanation, by name: the weights of Eq. 1 and the choices of the trace.

A *setting* is one named choice (``cur``, ``pre``, ``location`` …); a *value* of it is a plain number, text or truth
value, as it stands in a job file, a weight file or the database. A tuning job may tune any of them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from tracer.config import TraceConfig
from tracer.errors import nearest
from tracer.evidence import Alpha

WEIGHTS = ("cur", "suc", "pre")
"""The settings that are weights of Eq. 1."""

SETTINGS = (*WEIGHTS, *(part.name for part in fields(TraceConfig)))
"""The name of every setting."""


@dataclass(frozen=True)
class Settings:
    """What an image is explained with.

    Args:
        alpha: The weights of the evidence (Eq. 1).
        config: The choices of the trace.
        layers: Weights of single layers in the place of ``alpha``, by the layer's name in the model.
    """

    alpha: Alpha = Alpha()  # noqa: RUF009 - frozen
    config: TraceConfig = TraceConfig()  # noqa: RUF009 - frozen
    layers: Mapping[str, Alpha] = field(default_factory=dict)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def track(self) -> "Settings":
        """The weights alone; the same for all settings whose walk they play no part in."""
        return Settings() if self.config.dense else Settings(self.alpha, layers=self.layers)

    @cached_property
    def _hash(self) -> int:
        return hash((self.alpha, self.config, tuple(sorted(self.layers.items()))))

    def at(self, layer: str) -> Alpha:
        """The weights in a layer: its own where it has some, else those of the network."""
        return self.layers.get(layer, self.alpha)

    def values(self) -> dict[str, Any]:
        """The value of every setting by its name; weights of single layers are left out."""
        return {**asdict(self.alpha), **asdict(self.config)}

    def changed(self, values: Mapping[str, Any]) -> "Settings":
        """These settings with some of them changed.

        Args:
            values: The new value of each setting that changes, by its name.

        Raises:
            ValueError: If a setting is unknown or a value is none that it may take; says which.
        """
        for name in values:
            if name not in SETTINGS:
                raise ValueError(f"unknown setting {name!r}{nearest(name, SETTINGS)}; one of {', '.join(SETTINGS)}")
        weights = {name: value for name, value in values.items() if name in WEIGHTS}
        choices = {name: value for name, value in values.items() if name not in WEIGHTS}
        return replace(self, alpha=replace(self.alpha, **weights), config=replace(self.config, **choices))
