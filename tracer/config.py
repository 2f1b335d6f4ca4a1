"""How a network is traced: where the paper leaves a choice, the choice stands here."""

from dataclasses import dataclass
from typing import Literal

Selection = int | float | Literal["positive"]
"""How many neurons a selected neuron chooses: a number k ≥ 1, ``"positive"`` (all with positive evidence), or a mass
p in (0, 1): the fewest neurons that hold the share p of the positive evidence."""

_MOST = 2**31 - 1
"""The largest k: no layer has more neurons, and the compiled kernels count in 64 bits."""


@dataclass(frozen=True)
class TraceConfig:
    """The readings of the method's open points. The defaults are those of the design.

    Args:
        location: Where a convolution's chosen channel is followed to: ``"peak"``, its strongest product in the
            receptive field, or ``"center"``, the field's centre (CNN-Fixations).
        successor: How Eq. 1 reads α_suc. ``"excess"``: Ω = (1 + α_suc·(Z_suc − 1))·(α_cur·Z_cur + α_pre·Z_pre), so
            that α_suc weighs the succeeding layer's support above its default of 1. ``"paper"``: the literal
            Ω = α_suc·Z_suc·(α_cur·Z_cur + α_pre·Z_pre), where a positive α_suc can change no ranking.
        linear: Selection of a linear layer on a vector.
        flatten: Selection of a linear layer on a flattened map.
        convolution: Selection of a convolution, over input channels.
        average_pool: Selection of an average pooling, over the window's locations.
        box: ``"points"``, the tightest box around the points that are no outliers, or ``"density"``, the largest
            contour of the saliency map above ``density`` times its maximum.
        density: That threshold, in (0, 1).

    Raises:
        ValueError: If a value is none of these.
    """

    location: Literal["peak", "center"] = "peak"
    successor: Literal["excess", "paper"] = "excess"
    linear: Selection = "positive"
    flatten: Selection = 1
    convolution: Selection = 1
    average_pool: Selection = 0.5
    box: Literal["points", "density"] = "points"
    density: float = 0.2

    def __post_init__(self) -> None:
        for name, values in (
            ("location", ("peak", "center")),
            ("successor", ("excess", "paper")),
            ("box", ("points", "density")),
        ):
            if getattr(self, name) not in values:
                raise ValueError(f"{name}={getattr(self, name)!r}: write {' or '.join(map(repr, values))}")
        for name in ("linear", "flatten", "convolution", "average_pool"):
            _check_selection(name, getattr(self, name))
        if not 0 < self.density < 1:
            raise ValueError(f"density={self.density!r}: write a fraction between 0 and 1")

    @classmethod
    def cnn_fixations(cls) -> "TraceConfig":
        """CNN-Fixations (Mopuri et al. 2018), to be traced with ``Alpha(1, 0, 0)``."""
        return cls(location="center", linear="positive", flatten=1, convolution=1, average_pool=1)


def _check_selection(name: str, value: object) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
    mass = isinstance(value, float) and 0 < value < 1
    if not (whole or mass or value == "positive"):
        raise ValueError(f"{name}={value!r}: write a number from 1 to {_MOST}, a mass between 0 and 1, or 'positive'")
