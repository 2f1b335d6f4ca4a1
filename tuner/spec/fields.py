"""Values of a job file, as people write them."""

import math
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from tracer import Alpha
from tuner.spec.messages import nearest

LARGEST = 2**63 - 1
"""The largest whole number that the database holds."""


def _number(value: object) -> object:
    """A number as people write it: YAML reads ``1e-3`` as text, and pydantic ``true`` as 1."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number; write one")
    if isinstance(value, (str, int)):
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a number; write one") from None
        except OverflowError:
            raise ValueError("a number beyond 1.8e308; write a smaller one") from None
    return value


def _weight(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{value} is no weight; write a finite number of at least 0")
    return value


def resolved(value: Path, info: ValidationInfo) -> Path:
    """Relative to the job file's folder, where there is one.

    Raises:
        ValueError: If it begins with the home of a user who is not there, or no path can hold its characters.
    """
    try:
        path = Path((info.context or {}).get("folder", "."), value.expanduser()).absolute()
        sound = b"\0" not in os.fsencode(path)
    except RuntimeError:
        raise ValueError(f"{str(value)!r}: no user of that name has a home here; write the whole path") from None
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise ValueError(f"{str(value)!r} holds a character that no path can hold; take it out")
    return path


def from_mapping(kind: type[Any]) -> Any:
    """Makes one of the tracer's dataclasses from a mapping with some of its fields."""
    names = [field.name for field in fields(kind)]

    def make(value: object) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is no mapping; write {names[0]}: VALUE and so on")
        for key in value:
            if key not in names:
                raise ValueError(f"unknown key {key!r}{nearest(str(key), names)}; write one of {', '.join(names)}")
        try:
            return kind(**{key: _number(entry) if kind is Alpha else entry for key, entry in value.items()})
        except TypeError:
            raise ValueError(f"{dict(value)!r}; write numbers") from None

    return make


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, Field(strict=True, le=LARGEST)]
Weight = Annotated[Number, AfterValidator(_weight)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Resolved = Annotated[Path, AfterValidator(resolved)]
