"""How a network is traced: where the paper leaves a choice, the choice stands here.

An explanation has four stages, and each choice belongs to one of them: the *forward* pass, the *walk* back through the
layers, the *read* of a map of the evidence, and the *box* that is drawn from it.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

Selection = int | float | Literal["positive", "auto"]
"""How many neurons a selected neuron chooses: a number k ≥ 1, ``"positive"`` (all with positive evidence, which may
be none), or a mass p in (0, 1): the fewest neurons that hold the share p of the positive evidence. ``"auto"`` follows
the location: ``"positive"`` over a whole ``field``, else 1, as the paper's."""

AUTO: Literal["auto"] = "auto"

Depth = int | str
"""Where the evidence is read: ``"image"``, a stride such as 16, ``"last 16"``, or the name of a layer."""

Cut = float | str
"""Where a map is cut: above a share of its maximum in (0, 1), or ``"mass 0.6"``, at the level above which 0.6 of the
map's sum lies."""

_CHOICES = {
    "location": ("peak", "center", "field"),
    "successor": ("excess", "paper"),
    "share": ("evidence", "score"),
    "contrast": ("none", "mean", "others"),
    "box": ("points", "patch"),
}
_SELECTIONS = ("linear", "flatten", "convolution", "average_pool")
_FOLLOWING = ("flatten", "convolution")
"""Selections that may follow the location."""
_LARGEST_INPUT = 4096
_MOST = 2**31 - 1
"""The largest k: no layer has more neurons, and the compiled kernels count in 64 bits."""


@dataclass(frozen=True)
class TraceConfig:
    """The choices of a trace. The defaults are those that box objects best across networks (``docs/method.md``).

    Args:
        input: Height and width, in pixels, that images are resized to; ``None`` for the network's own.
        flip: Whether the evidence is the mean over the image and its mirror image.
        location: Where a convolution's chosen channel is followed to in the receptive field: ``"peak"``, its strongest
            product; ``"center"``, the field's centre (CNN-Fixations); ``"field"``, every place with a positive
            product, in proportion to it.
        successor: How Eq. 1 reads α_suc. ``"excess"``: Ω = (1 + α_suc·(Z_suc − 1))·(α_cur·Z_cur + α_pre·Z_pre), so
            that α_suc weighs the succeeding layer's support above its default of 1. ``"paper"``: the literal
            Ω = α_suc·Z_suc·(α_cur·Z_cur + α_pre·Z_pre), where a positive α_suc can change no ranking.
        linear: Selection of a linear layer on a vector.
        flatten: Selection of a linear layer on a flattened map.
        convolution: Selection of a convolution, over input channels. ``"positive"`` lets every positive branch of a
            residual addition have its part too, where any other selection follows one branch.
        average_pool: Selection of an average pooling, over the window's locations.
        share: What a neuron's share is divided by among those it chooses: ``"evidence"``, in proportion to their
            Z_cur, or ``"score"``, in proportion to their Ω, so that α shapes the map too.
        contrast: What is subtracted from the class's weights in the last layer: nothing, the ``"mean"`` over all
            classes, or the mean of the ``"others"``, each weighed by its probability.
        depth: Where the evidence is read. ``"image"``: at the pixels. A stride s, a power of two: at the map nearest
            the image whose cells are s pixels wide; ``"last s"``: at the last such map before the class, which
            costs less. Where the network has no such stride, at the next finer one. A layer's name: at its output.
        spread: σ of the Gaussian that blurs the map, in pixels of an image 256 pixels high; 0 leaves it as it is.
        box: ``"points"``, the tightest box around the points that are no outliers, or ``"patch"``, the box around the
            largest patch of the map above ``cut``.
        cut: A share of the map's maximum in (0, 1), or ``"mass p"``: the level above which the mass p of the map lies.

    Raises:
        ValueError: If a value is none of these.
    """

    input: int | None = None
    flip: bool = False
    location: Literal["peak", "center", "field"] = "field"
    successor: Literal["excess", "paper"] = "excess"
    linear: Selection = "positive"
    flatten: Selection = AUTO
    convolution: Selection = AUTO
    average_pool: Selection = "positive"
    share: Literal["evidence", "score"] = "evidence"
    contrast: Literal["none", "mean", "others"] = "none"
    depth: Depth = "last 32"
    spread: float = 12.0
    box: Literal["points", "patch"] = "patch"
    cut: Cut = "mass 0.8"

    def __post_init__(self) -> None:
        for name, values in _CHOICES.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name}={getattr(self, name)!r}: write {' or '.join(map(repr, values))}")
        for name in _SELECTIONS:
            if name not in _FOLLOWING or getattr(self, name) != AUTO:
                _check_selection(name, getattr(self, name))
        if not isinstance(self.flip, bool):
            raise ValueError(f"flip={self.flip!r}: write true or false")
        if self.input is not None and not (_is_whole(self.input) and 1 <= self.input <= _LARGEST_INPUT):
            raise ValueError(f"input={self.input!r}: write pixels from 1 to {_LARGEST_INPUT}, or null")
        parse_stride(self.depth)
        if not (_is_number(self.spread) and 0 <= self.spread <= 256):
            raise ValueError(f"spread={self.spread!r}: write pixels from 0 to 256, of an image 256 pixels high")
        parse_cut(self.cut)

    @classmethod
    def paper(cls, **changes: Any) -> "TraceConfig":
        """The paper's walk: one neuron at a time to its strongest place, down to the pixels; the box around the points.

        The weights of Eq. 1 decide which neurons those are.

        Args:
            **changes: Other choices in place of the paper's.
        """
        return cls(**{"location": "peak", "depth": "image", "spread": 20.0, "box": "points", **changes})

    @classmethod
    def cnn_fixations(cls) -> "TraceConfig":
        """CNN-Fixations (Mopuri et al. 2018), to be traced with ``Alpha(1, 0, 0)``."""
        return cls.paper(location="center", linear="positive", flatten=1, convolution=1, average_pool=1)

    @classmethod
    def excitation_backprop(cls, **changes: Any) -> "TraceConfig":
        """Excitation backpropagation (Zhang et al. 2018), which is LRP's α1β0 rule, read at the pixels.

        Args:
            **changes: Choices of the other stages, such as ``depth=16``.
        """
        positive: dict[str, Any] = dict.fromkeys(_SELECTIONS, "positive")
        return cls(**{"location": "field", **positive, "depth": "image", **changes})

    @cached_property
    def resolved(self) -> "TraceConfig":
        """The same choices, with every selection that follows the location spelt out."""
        chosen: Any = "positive" if self.location == "field" else 1
        return replace(self, **{name: chosen for name in _FOLLOWING if getattr(self, name) == AUTO})

    @cached_property
    def walk(self) -> tuple[Any, ...]:
        """The choices that decide the walk: equal ones walk alike under equal weights."""
        return tuple(getattr(self.resolved, name) for name in STAGES["walk"])

    @cached_property
    def dense(self) -> bool:
        """Whether the walk is excitation backpropagation: α plays no part, and whole layers are walked at once."""
        everything = all(getattr(self.resolved, name) == "positive" for name in _SELECTIONS)
        return self.location == "field" and self.share == "evidence" and everything


STAGES = {
    "forward": ("input", "flip"),
    "walk": (
        "location", "successor", "linear", "flatten", "convolution", "average_pool", "share", "contrast",
    ),
    "read": ("depth", "spread"),
    "box": ("box", "cut"),
}  # fmt: skip
"""The choices of each stage of an explanation; those of one stage matter to the stages after it."""


def parse_stride(depth: Depth) -> tuple[int | None, bool]:
    """The stride that a depth names, ``None`` where it names none, and whether it asks for the last of its maps.

    Raises:
        ValueError: If it is no depth.
    """
    stride, last = depth, False
    if isinstance(depth, str) and depth.startswith("last ") and depth[5:].isdecimal():
        stride, last = int(depth[5:]), True
    if _is_whole(stride) and isinstance(stride, int) and stride >= 1:
        finer = 1 << (stride.bit_length() - 1)
        if stride != finer:
            said = f"'last {finer}' and 'last {2 * finer}'" if last else f"{finer} and {2 * finer}"
            raise ValueError(f"depth={depth!r}: strides are powers of two; the nearest are {said}")
        return stride, last
    if isinstance(depth, str) and depth and not last:
        return None, False
    raise ValueError(f"depth={depth!r}: write 'image', a stride such as 16, 'last 16', or a layer's name")


def parse_cut(cut: Cut) -> tuple[float, bool]:
    """A cut as a fraction in (0, 1), and whether it is a mass.

    Raises:
        ValueError: If it is neither a share of the maximum nor a mass.
    """
    value: Any = cut
    mass = isinstance(cut, str) and cut.startswith("mass ")
    if isinstance(cut, str) and mass:
        try:
            value = float(cut.removeprefix("mass "))
        except ValueError:
            value = None
    if not (_is_number(value) and 0 < value < 1):
        raise ValueError(f"cut={cut!r}: write a share of the map's maximum between 0 and 1, or 'mass 0.6'")
    return float(value), mass


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_selection(name: str, value: object) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST
    mass = isinstance(value, float) and 0 < value < 1
    if not (whole or mass or value == "positive"):
        raise ValueError(f"{name}={value!r}: write a number from 1 to {_MOST}, a mass between 0 and 1, or 'positive'")


assert {name for names in STAGES.values() for name in names} == {part.name for part in fields(TraceConfig)}
