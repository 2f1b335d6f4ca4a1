"""The job: what a job file may say, checked, with the defaults filled in."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from storage.models import Value
from tracer import Alpha, Settings, TraceConfig
from tracer.documents import Document, read_document
from tracer.errors import DocumentError
from tracer.settings import WEIGHTS
from tuner.errors import SpecError
from tuner.spec.arms import ArmSet, arms_of
from tuner.spec.fields import (
    Name,
    Number,
    Resolved,
    Whole,
    base_values,
    candidates,
    resolved_factory,
    trace_config,
)
from tuner.spec.grid import Grid, make_grid
from tuner.spec.messages import PlacedError, first_mistake
from tuner.spec.policy import PolicySpec
from tuner.spec.reward import IouReward, RewardSpec

_ELEVEN = tuple(tenth / 10 for tenth in range(11))

TRACER = "tracer"
"""The explainer of a job that names none."""

READ_OFF = ("depth", "spread", "cut")
"""The settings that are read off any explainer's map; the others are the tracer's own."""

DEFAULT_ARMS: dict[str, tuple[Value, ...]] = dict.fromkeys(WEIGHTS, _ELEVEN)
"""What is tuned where ``arms`` is silent: the three weights of Eq. 1."""


_BASE: dict[str, Value] = asdict(Alpha())


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Images(_Part):
    """What every kind of data set says.

    Attributes:
        images: How many images are sampled, at most.
        skip_bad: Whether images that are bad are left out and counted, where they would end the job before it starts.
    """

    images: Annotated[Whole, Field(ge=1)] = 1000
    skip_bad: bool = False


class _Annotated(_Images):
    """What every kind of data set with boxes on disk says.

    Attributes:
        root: Its folder.
        labels: A text file with the name of a class a line, in the order of the network's scores.
    """

    root: Resolved
    labels: Resolved | None = None


class ImagenetSpec(_Annotated):
    """ILSVRC CLS-LOC: Kaggle's CSV or the XML annotations. ``labels`` defaults to ROOT/LOC_synset_mapping.txt."""

    kind: Literal["imagenet"]
    split: Literal["val", "train"] = "val"


class VocSpec(_Annotated):
    """PASCAL VOC: ROOT is a VOCdevkit with one year in it, or the folder of a year."""

    kind: Literal["voc"]
    split: str = "val"


class CocoSpec(_Annotated):
    """COCO: ROOT/annotations/instances_SPLIT.json, and the images in ROOT/SPLIT."""

    kind: Literal["coco"]
    split: str = "val2017"


class CsvSpec(_Annotated):
    """A CSV file ``image,x0,y0,x1,y1[,label]``: ROOT is the file, or a folder with one such file in it."""

    kind: Literal["csv"]


class VocSegmentationSpec(_Annotated):
    """PASCAL VOC's segmented images: a box around each object's mask. ROOT as for ``voc``."""

    kind: Literal["voc_segmentation"]
    split: str = "val"


class YoloSpec(_Annotated):
    """YOLO: ROOT/images/SPLIT, ROOT/labels/SPLIT, and names of the classes in ROOT/data.yaml or ROOT/classes.txt."""

    kind: Literal["yolo"]
    split: str = "val"


class OpenImagesSpec(_Annotated):
    """Open Images: ROOT/SPLIT-annotations-bbox.csv, and the images that are there in ROOT/SPLIT."""

    kind: Literal["open_images"]
    split: str = "validation"


class ImageFolderSpec(_Annotated):
    """Hugging Face's ``imagefolder``: images, and boxes in ``objects`` of ROOT[/SPLIT]/metadata.jsonl."""

    kind: Literal["imagefolder"]
    split: str = "train"


class ParquetSpec(_Annotated):
    """Hugging Face's Parquet files: ROOT is one, or a folder with SPLIT*.parquet in it or in its folder ``data``."""

    kind: Literal["parquet"]
    split: str = "train"


class DigitsSpec(_Images):
    """Handwritten digits on cluttered canvases, drawn on demand."""

    kind: Literal["digits"]


class FolderSpec(_Images):
    """A folder of images, without labels or boxes: the files under ROOT, in the order of their names."""

    kind: Literal["folder"]
    root: Resolved


DatasetSpec = (
    ImagenetSpec
    | VocSpec
    | VocSegmentationSpec
    | CocoSpec
    | YoloSpec
    | OpenImagesSpec
    | ImageFolderSpec
    | ParquetSpec
    | CsvSpec
    | FolderSpec
    | DigitsSpec
)


class WorkersSpec(_Part):
    """Actors that score images, and what each of them takes of the cluster.

    Attributes:
        count: How many; ``auto``: as many as the cluster holds, also as nodes join and leave.
        cpus: CPUs, and threads, of each.
        gpus: GPUs of each; a fraction shares one.
        timeout: Seconds an image may take before its worker is taken to hang and is replaced.
    """

    count: Literal["auto"] | Whole = "auto"
    cpus: Number = 1.0
    gpus: Number = 0.0
    timeout: Number = 300.0

    @field_validator("count")
    @classmethod
    def _some(cls, value: str | int) -> str | int:
        if value != "auto" and int(value) < 1:
            raise ValueError(f"{value} workers score nothing; write a number of at least 1, or auto")
        return value

    @field_validator("timeout")
    @classmethod
    def _patience(cls, value: float) -> float:
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{value} is no time to wait for an image; write seconds above 0")
        return value

    @field_validator("cpus", "gpus")
    @classmethod
    def _amount(cls, value: float, info: ValidationInfo) -> float:
        least = "above 0" if info.field_name == "cpus" else "of at least 0"
        if not math.isfinite(value) or value < 0 or (value == 0 and info.field_name == "cpus"):
            raise ValueError(f"{value} is no share of a machine; write a number {least}")
        return value


def _scoring(values: dict[str, Any]) -> Literal["all", "asked"]:
    """How images are scored where a job does not say, by the fields before it."""
    policy = values["policy"].make()
    together = policy.in_step or policy.batches() is not None
    return "all" if together or not values["reward"].costs_forwards else "asked"


class JobSpec(_Part):
    """A tuning job, whole and valid.

    Attributes:
        name: What the job is called in the database.
        architecture: As :func:`tracer.load_model` takes it.
        checkpoint: A file of parameters; ``None`` for those the architecture comes with.
        explainer: ``tracer``, or the factory of another method whose read-off is tuned
            (:mod:`tuner.workers.explainer`).
        dataset: The images.
        seed: Decides the sample of images and the policies' draws.
        arms: Candidates of each setting that is tuned.
        base: What settings are held at while others are tuned: the three weights, and what else is named. What is not
            named is held at what ``tracer`` says.
        search: ``each``: a bandit a setting, the others held at the base. ``joint``: one bandit, whose arms are the
            combinations of all candidates.
        rounds: How often the settings are tuned; each round holds the winners of the one before.
        policy: How arms are chosen, and for how long.
        reward: What a pull is rewarded for.
        check: Share of the sampled images that are kept from the bandits, to show in the end what was gained on images
            that nothing was learned from; 0 for none.
        target: The class explained: the one predicted, or the image's label.
        scoring: Whether a worker scores an image for ``all`` arms that may still be pulled, or for just the one
            ``asked`` for. The default is ``asked`` where a value costs forward passes and the policy leaves some arms
            out on an image.
        tracer: How the network is traced, where not by :class:`tracer.TraceConfig`'s defaults. A job that tunes a
            weight of Eq. 1 starts from :meth:`tracer.TraceConfig.paper`.
        workers: What the job takes of the cluster.
    """

    name: Name
    architecture: Annotated[str, Field(min_length=1)]
    checkpoint: Resolved | None = None
    explainer: Annotated[str, Field(min_length=1)] = TRACER
    dataset: Annotated[DatasetSpec, Field(discriminator="kind")]
    seed: Annotated[Whole, Field(ge=0)] = 0
    arms: Annotated[dict[str, tuple[Value, ...]], BeforeValidator(candidates)] = DEFAULT_ARMS
    base: Annotated[dict[str, Value], BeforeValidator(base_values)] = _BASE
    search: Literal["each", "joint"] = "each"
    rounds: Annotated[Whole, Field(ge=1)] = 1
    policy: PolicySpec = PolicySpec()
    reward: RewardSpec = IouReward()
    check: Number = 0.33
    target: Literal["predicted", "label"] = "predicted"
    scoring: Annotated[Literal["all", "asked"], Field(default_factory=_scoring)]
    tracer: Annotated[TraceConfig, BeforeValidator(trace_config), PlainSerializer(asdict)] = TraceConfig()
    workers: WorkersSpec = WorkersSpec()

    @model_validator(mode="before")
    @classmethod
    def _walk_of_the_paper(cls, values: Any) -> Any:
        """A job that tunes a weight of Eq. 1 starts from the paper's walk, in which the weights matter."""
        if not isinstance(values, Mapping):
            return values
        arms, tracer = values.get("arms", DEFAULT_ARMS), values.get("tracer", {})
        if not (isinstance(arms, Mapping) and isinstance(tracer, Mapping) and any(name in arms for name in WEIGHTS)):
            return values
        paper, defaults = asdict(TraceConfig.paper()), asdict(TraceConfig())
        changed = {name: value for name, value in paper.items() if value != defaults[name]}
        return {**values, "tracer": {**changed, **tracer}}

    @model_validator(mode="after")
    def _serves(self) -> Self:
        """The data set has what is asked of its images."""
        if self.dataset.kind != "folder":
            return self
        if self.reward.needs_boxes:
            raise PlacedError(
                ("reward",),
                f"{self.reward.name} judges by boxes, and a folder of images has none; write reward: "
                "{kind: confidence}, insertion, deletion or agreement, or name a data set with boxes",
            )
        if self.target == "label":
            raise PlacedError(("target",), "a folder of images has no labels; leave target out")
        return self

    @field_validator("check")
    @classmethod
    def _share(cls, value: float) -> float:
        if not 0 <= value < 1:
            raise ValueError(f"{value} is no share of the images to keep from the bandits; write one from 0 to below 1")
        return value

    @field_validator("architecture", "explainer")
    @classmethod
    def _file(cls, value: str, info: ValidationInfo) -> str:
        """A user's own file is found from the job file's folder."""
        return resolved_factory(value, info)

    @model_validator(mode="after")
    def _reads(self) -> Self:
        """Another explainer than the tracer has a read-off, and no other setting."""
        if self.explainer == TRACER:
            return self
        if ":" not in self.explainer:
            mend = "write tracer, MODULE:FACTORY or FILE.py:FACTORY"
            raise PlacedError(("explainer",), f"{self.explainer!r} is no explainer; {mend}")
        held = [("base", name) for name, value in self.base.items() if (name, value) not in _BASE.items()]
        for section, name in [*(("arms", name) for name in self.arms), *held]:
            if name not in READ_OFF:
                raise PlacedError(
                    (section, name) if section in self.model_fields_set else (),
                    f"{name} is a setting of the tracer; under {section} of another explainer write some of "
                    f"{', '.join(READ_OFF)}",
                )
        if self.tracer != TraceConfig():
            raise PlacedError(("tracer",), "says how the tracer traces; leave it out where another explainer is named")
        return self

    @model_validator(mode="after")
    def _searches(self) -> Self:
        in_batches = self.policy.make().batches() is not None
        if in_batches and self.search != "joint":
            raise PlacedError(("policy", "kind"), f"{self.policy.kind} tries combinations; write search: joint")
        if in_batches and self.scoring != "all":
            raise PlacedError(("scoring",), f"{self.policy.kind} scores a batch of arms at once; write scoring: all")
        if self.search == "joint" and self.rounds != 1:
            raise PlacedError(("rounds",), f"{self.rounds}, but a joint search holds nothing; leave rounds out")
        return self

    @model_validator(mode="after")
    def _fits(self) -> Self:
        policy = self.policy.make()
        try:
            sets = self.arm_sets(self.settings)
        except ValueError as error:
            raise PlacedError(("arms",), str(error)) from error
        for arms in sets:
            count = len(arms.candidates)
            least = policy.least_budget(count, self.tuned_on(self.dataset.images))
            if self.policy.budget < least:
                raise PlacedError(
                    ("policy", "budget"),
                    f"{self.policy.budget} pulls are too few for the {count} arms of {arms.setting}; "
                    f"write at least {least}",
                )
        if self.target == "label" and self.dataset.kind in {"voc", "coco"} and self.dataset.labels is None:
            raise PlacedError(
                ("target",),
                f"the class order of a network for {self.dataset.kind} is not known; "
                "add dataset.labels, a file with a class name a line",
            )
        return self

    @property
    def settings(self) -> Settings:
        """What the network is traced with before anything is learned."""
        settings = Settings(config=self.tracer).changed(self.base)
        return settings if self.explainer == TRACER else settings.changed({"box": "patch"})

    def tuned_on(self, images: int) -> int:
        """How many of so many sampled images the bandits see: the first of the permutation, at least one."""
        return images - min(round(self.check * images), images - 1)

    def arm_sets(self, base: Settings) -> list[ArmSet]:
        """The arms of each bandit of a round; the settings that it does not tune are held at the base.

        Raises:
            ValueError: If a joint search has more arms than one bandit may have, or none.
        """
        if self.search == "joint":
            return [self.grid(base).arms]
        preferred = self.settings.values()
        return [arms_of(setting, axis, base, preferred[setting]) for setting, axis in self.arms.items()]

    def grid(self, base: Settings) -> Grid:
        """The combinations of all candidates.

        Raises:
            ValueError: If there are more than one bandit may have, or none.
        """
        return make_grid(self.arms, base)

    def canonical(self) -> dict[str, Any]:
        """The job as plain JSON values, defaults filled in; ``JobSpec.model_validate`` makes the same job of it."""
        return self.model_dump(mode="json")


def load_job(path: str | Path, *, name: str | None = None) -> JobSpec:
    """The job of a YAML file. Relative paths in it start from its folder; its name defaults to the file's.

    Args:
        path: The file.
        name: Stands in for the name in the file.

    Raises:
        SpecError: If the file is missing, is no YAML or says what no job can be; one line ``FILE:LINE: place: what is
            wrong; the mend``.
    """
    path = Path(path)
    try:
        document = read_document(path)
    except DocumentError as error:
        raise SpecError(str(error)) from error
    return make_job(named_job(document, name, default=path.stem), folder=path.absolute().parent)


def named_job(document: Document, name: str | None, default: str = "") -> Document:
    """A job file under a name.

    Args:
        document: The file.
        name: Stands in for the name in the file.
        default: The name where neither says one.

    Raises:
        SpecError: If the file is no mapping.
    """
    if not isinstance(document.data, dict):
        raise SpecError(f"{document.source}: not a job; write keys and values, such as architecture: resnet18")
    given = {} if name is None else {"name": name}
    return replace(document, data={"name": default, **document.data, **given})


def make_job(document: Document, folder: Path = Path()) -> JobSpec:
    """The job that values describe.

    Args:
        document: The values, and what messages call their source.
        folder: Where relative paths start.

    Raises:
        SpecError: If they describe no job; one line ``SOURCE: place: what is wrong; the mend``.
    """
    try:
        return JobSpec.model_validate(document.data, context={"folder": folder})
    except ValidationError as error:
        raise SpecError(first_mistake(error, JobSpec, document)) from error


def stored_job(name: str, values: Mapping[str, Any]) -> JobSpec:
    """The job that the database keeps under a name, from what :meth:`JobSpec.canonical` made of it.

    Raises:
        SpecError: If it is none to this version.
    """
    return make_job(Document(f"job {name!r} in the database", values))
