"""What a pull is rewarded for: what a job file may say of it, checked.

Every reward gives an arm's explanation of an image a *value* in [0, 1]. The value is what is stored as the score; the
pull is a success where the value reaches the threshold ``at``. :mod:`tuner.rewards` holds a module a kind that
computes the values.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from tuner.spec.fields import Number, Resolved, ResolvedFactory, Whole
from tuner.spec.messages import PlacedError

RESERVED = frozenset(
    [
        *["iou", "pointing", "confidence", "insertion", "deletion", "agreement", "kind", "at"],
        *["images", "reward", "success", "trivial", "base", "learned", "whole_image", "difference", "interval"],
        *["won", "lost", "low", "high"],
    ]
)
"""What a reward of a user's own may not be called: its threshold stands under its name beside these, in results."""


class Reward(BaseModel, ABC):
    """What every kind of reward says.

    Attributes:
        at: The value that makes a pull a success.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    needs_boxes: ClassVar[bool] = False
    """Whether it judges by the boxes of an image's instances, which then has to have some."""
    costs_forwards: ClassVar[bool] = True
    """Whether a value costs forward passes of the network beyond those of the explanation."""
    trivial: ClassVar[str | None] = None
    """What it can judge without a network, on any image; ``None`` where it can judge nothing so."""

    kind: str
    at: Number

    @field_validator("at")
    @classmethod
    def _fraction(cls, value: float) -> float:
        if not 0 < value <= 1:
            raise ValueError(f"{value} is no value to reach; write a number above 0 and up to 1")
        return value

    @property
    def name(self) -> str:
        """What tables call its values."""
        return self.kind

    @property
    def success(self) -> str:
        """What successes on a ``{share}`` of the images mean, to stand after "the learned settings"."""
        return f"reach a value of {self.name} of at least {self.at:g} on {{share}} of the images"

    @property
    def judges_map(self) -> bool:
        """Whether it judges the map alone, whatever box is drawn on it: cuts of one map are equal to it."""
        return False

    @property
    @abstractmethod
    def meaning(self) -> str:
        """What the value of an explanation is, to stand after "the value is"."""

    def succeeds(self, value: float) -> bool:
        """Whether a pull that reads the value is rewarded."""
        return value >= self.at


class IouReward(Reward):
    """The IOU of the box with the instance that it overlaps best (Section 3.2)."""

    needs_boxes: ClassVar[bool] = True
    costs_forwards: ClassVar[bool] = False
    trivial: ClassVar[str | None] = "the box around the whole image"

    kind: Literal["iou"] = "iou"
    at: Number = 0.5

    @property
    def success(self) -> str:
        """What successes mean; see :attr:`Reward.success`."""
        return "box {share} of the objects"

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return (
            "the area that the explanation's box and the true box of the object share, divided by the area that they "
            "cover together"
        )


class PointingReward(Reward):
    """1 where the map is highest within an instance's box, else 0 (the pointing game, Section 4.1.1)."""

    needs_boxes: ClassVar[bool] = True
    costs_forwards: ClassVar[bool] = False
    trivial: ClassVar[str | None] = "the middle of the image"

    kind: Literal["pointing"] = "pointing"
    at: Number = 1.0

    @property
    def success(self) -> str:
        """What successes mean; see :attr:`Reward.success`."""
        return "point at {share} of the objects"

    @property
    def judges_map(self) -> bool:
        """Whether it judges the map; see :attr:`Reward.judges_map`."""
        return True

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return "1 where the map is highest within the true box of an object, and 0 elsewhere"


def _share(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{value} is no share of the image to keep; write one between 0 and 1")
    return value


class ConfidenceReward(Reward):
    """How probable the class is when only the explained part is left, beside the whole image (Section 4.1.2).

    With p for the whole image and q for the part, the value is q / (p + q): 0.5 where both are equal.

    Attributes:
        keep: The share of the image that is left, where the map is highest; ``None`` for the box. With a share all arms
            keep the same area, so that a box around everything wins nothing.
    """

    kind: Literal["confidence"] = "confidence"
    at: Number = 0.5
    keep: Number | None = None

    @field_validator("keep")
    @classmethod
    def _kept(cls, value: float | None) -> float | None:
        return None if value is None else _share(value)

    @property
    def success(self) -> str:
        """What successes mean; see :attr:`Reward.success`."""
        if self.at != 0.5:
            return super().success
        return f"leave the network as sure of its class, with {self._part} alone, on {{share}} of the images"

    @property
    def judges_map(self) -> bool:
        """Whether it judges the map; see :attr:`Reward.judges_map`."""
        return self.keep is not None

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return (
            "q / (p + q), where the class has the probability p on the whole image and q where only "
            f"{self._part} is left"
        )

    @property
    def _part(self) -> str:
        return "the box" if self.keep is None else f"the top {self.keep:.0%} of the map"


class _Area(Reward):
    """An area under the class's probability while the image changes in steps, the map's highest places first.

    Attributes:
        steps: How many parts of equal size change, one after the other; each costs a forward pass.
    """

    steps: Annotated[Whole, Field(ge=1, le=224)] = 4

    @property
    def judges_map(self) -> bool:
        """Whether it judges the map; see :attr:`Reward.judges_map`."""
        return True


class InsertionReward(_Area):
    """The area while a blurred image is made sharp (insertion, Petsiuk et al. 2018)."""

    kind: Literal["insertion"] = "insertion"
    at: Number = 0.7

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return "the area under the class's probability while a blurred image is made sharp, what explains most first"


class DeletionReward(_Area):
    """1 less the area while the image is painted in the mean colour (deletion, Petsiuk et al. 2018)."""

    kind: Literal["deletion"] = "deletion"
    at: Number = 0.9

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return "1 less the area under the class's probability while the image is painted over, what explains most first"


class AgreementReward(Reward):
    """How far an explanation agrees with another one of the same image: a regression test of explanations.

    Attributes:
        weights: The weight file of the other explanation, or:
        explainer: The factory of the other method (:mod:`tuner.workers.explainer`).
        by: What is compared: ``box``, by IOU, or ``map``, by what two maps of mass 1 have in common.
    """

    kind: Literal["agreement"] = "agreement"
    at: Number = 0.9
    weights: Resolved | None = None
    explainer: ResolvedFactory | None = None
    by: Literal["box", "map"] = "box"

    @model_validator(mode="after")
    def _other(self) -> Self:
        if (self.weights is None) == (self.explainer is None):
            raise PlacedError(("weights",), "the other explanation is not named; write either weights or explainer")
        return self

    @property
    def success(self) -> str:
        """What successes mean; see :attr:`Reward.success`."""
        return f"agree by {self.at:g} with the other explanation on {{share}} of the images"

    @property
    def judges_map(self) -> bool:
        """Whether it judges the map; see :attr:`Reward.judges_map`."""
        return self.by == "map"

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return f"how much its {self.by} has in common with that of the other explanation, from 0 to 1"


class OwnReward(Reward):
    """A reward of the user's own: ``kind: package.module:factory`` or ``kind: FILE.py:factory``.

    What else is written is passed to the factory (:class:`tuner.rewards.Judge`).
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: ResolvedFactory
    at: Number = 0.5

    @field_validator("kind")
    @classmethod
    def _own_name(cls, value: str) -> str:
        name = value.rpartition(":")[2]
        if name in RESERVED:
            raise ValueError(f"{name!r} already names something else where results stand; call the function otherwise")
        return value

    @property
    def name(self) -> str:
        """The factory's name."""
        return self.kind.rpartition(":")[2]

    @property
    def parameters(self) -> dict[str, Any]:
        """What the factory takes."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def meaning(self) -> str:
        """What the value is; see :attr:`Reward.meaning`."""
        return "a number from 0 to 1 that the job's own code makes of the explanation"


OWN = "own"


def _tag(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return OWN if ":" in str(kind) else kind


def _short(value: Any) -> Any:
    """``{iou: 0.5}`` is short for ``{kind: iou, at: 0.5}``."""
    if isinstance(value, Mapping) and value.keys() == {"iou"}:
        return {"kind": "iou", "at": value["iou"]}
    return value


RewardSpec = Annotated[
    Annotated[IouReward, Tag("iou")]
    | Annotated[PointingReward, Tag("pointing")]
    | Annotated[ConfidenceReward, Tag("confidence")]
    | Annotated[InsertionReward, Tag("insertion")]
    | Annotated[DeletionReward, Tag("deletion")]
    | Annotated[AgreementReward, Tag("agreement")]
    | Annotated[OwnReward, Tag(OWN)],
    Discriminator(_tag),
    BeforeValidator(_short),
]
"""What a job file may say under ``reward``."""

_ADAPTER: TypeAdapter[Reward] = TypeAdapter(RewardSpec)


def stored_reward(spec: Mapping[str, Any]) -> Reward:
    """The reward of a job, from what :meth:`tuner.spec.job.JobSpec.canonical` made of it; the rest is not looked at."""
    return _ADAPTER.validate_python(spec["reward"])
