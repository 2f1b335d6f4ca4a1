"""What raters are shown, as it was frozen: the folder of a study, checked against its hashes."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.errors import StudyError
from tracer.files import open_regular, sha256

FILE = "study.json"
"""The name of the file that describes a study, in its folder."""

STIMULI = "stimuli"
"""The folder of its pictures, in its folder."""

LETTERS = "ABCDEFGH"
"""What raters see in place of a condition's name: the letter of the place that its map stands at."""

Kind = Literal["practice", "rated", "attention"]
"""Practice is not counted; an attention trial tells the rater what to answer; the others are what the study is for."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stimulus(_Frozen):
    """A picture that raters see.

    Args:
        file: Its name in the study's folder of stimuli, made of its hash: it tells nothing of what made the picture.
        sha256: Hash of the file's bytes.
    """

    file: str = Field(pattern=r"^[0-9a-f]{16}\.jpg$")
    sha256: str


class Condition(_Frozen):
    """What made one map of every trial.

    Args:
        name: Its name in the report; raters never see it.
        network: The network's architecture.
        parameters_sha256: Hash of the network's parameters.
        method: The attribution method.
        settings: The tracer's settings, where the method is the tracer.
        seen: On how many of the rated images its settings were learned.
    """

    name: str
    network: str
    parameters_sha256: str
    method: str
    settings: Mapping[str, Any] | None
    seen: int = 0


class Told(_Frozen):
    """What a rater is told to answer in an attention trial.

    Args:
        best: The place of the map to choose, from 0.
        score: What to give every map, 1 to 5.
    """

    best: int
    score: int = Field(ge=1, le=5)


class Trial(_Frozen):
    """An image with one map of every condition.

    Args:
        kind: What it is for.
        image: The image's id in its data set.
        pixels_sha256: Hash of its pixels.
        object: The name of its class, which all networks get right.
        picture: The image without a map.
        maps: The maps, in the order of the conditions.
        told: What to answer, in an attention trial.
    """

    kind: Kind
    image: str
    pixels_sha256: str | None
    object: str
    picture: Stimulus
    maps: tuple[Stimulus, ...]
    told: Told | None = None


class Showing(_Frozen):
    """A trial as one rater sees it.

    Args:
        trial: Its place among the study's trials.
        sides: The condition whose map stands at each place, from left to right.
    """

    trial: int
    sides: tuple[int, ...]


Sheet = tuple[Showing, ...]
"""All trials in the order in which one rater sees them."""


class Study(_Frozen):
    """Everything that raters are shown.

    Args:
        format: Version of this layout.
        seed: Of images, orders and sides.
        contact: Whom raters may ask.
        conditions: What is compared; differences are to the first.
        trials: What is shown of them.
        sheets: The orders in which it is shown; raters take turns among them.
        made: How it was made: options and versions.
    """

    format: Literal[1] = 1
    seed: int
    contact: str
    conditions: tuple[Condition, ...] = Field(min_length=2, max_length=len(LETTERS))
    trials: tuple[Trial, ...]
    sheets: tuple[Sheet, ...] = Field(min_length=1)
    made: Mapping[str, Any]

    @property
    def document(self) -> bytes:
        """The study as its file holds it; the same study has the same bytes."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    @cached_property
    def sha256(self) -> str:
        """The hash of :attr:`document`, which answers are kept with."""
        return hashlib.sha256(self.document).hexdigest()

    @property
    def stimuli(self) -> dict[str, Stimulus]:
        """All pictures by the names of their files."""
        return {each.file: each for trial in self.trials for each in (trial.picture, *trial.maps)}

    @property
    def rated(self) -> list[int]:
        """The places of the trials that are counted."""
        return [place for place, trial in enumerate(self.trials) if trial.kind == "rated"]


def load_study(folder: Path) -> Study:
    """The study of a folder, once every picture is found to be what was frozen.

    Raises:
        StudyError: If the folder holds no study, or not the one that was made.
    """
    path = folder / FILE
    try:
        with open_regular(path) as file:
            study = Study.model_validate_json(file.read())
        for stimulus in study.stimuli.values():
            if sha256(folder / STIMULI / stimulus.file) != stimulus.sha256:
                raise StudyError(f"{folder}: {stimulus.file} is not the picture that was frozen: make the study anew")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise StudyError(f"{path}: {place or 'the file'}: {first['msg']}") from error
    except OSError as error:
        raise StudyError(
            f"{folder}: no whole study ({error.filename}: {error.strerror}): `experiments trust create` makes one"
        ) from error
    return study
