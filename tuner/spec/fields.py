"""Values of a job file, as people write them."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from storage.models import Value
from storage.rows import describe
from tracer import SETTINGS, Alpha, Settings, TraceConfig
from tracer.documents import Place
from tracer.errors import nearest
from tracer.settings import WEIGHTS
from tuner.spec.arms import MOST, is_number
from tuner.spec.messages import PlacedError

LARGEST = 2**63 - 1
"""The largest whole number that the database holds."""


def _number(value: object) -> float:
    """A number and nothing that pydantic would make one of: text, or ``true``."""
    if not is_number(value):
        raise ValueError(f"{value!r} is not a number; write one")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a number beyond 1.8e308; write a smaller one") from None


def resolved(value: Path, info: ValidationInfo) -> Path:
    """Relative to the job file's folder, where there is one.

    Raises:
        ValueError: If it begins with the home of a user who is not there, or no path can hold its characters.
    """
    try:
        path = Path((info.context or {}).get("folder", "."), value.expanduser()).absolute()
        sound = b"\0" not in str(path).encode()
    except RuntimeError:
        raise ValueError(f"{str(value)!r}: no user of that name has a home here; write the whole path") from None
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise ValueError(f"{str(value)!r} holds a character that no path here can hold; rename it")
    return path


def resolved_factory(value: str, info: ValidationInfo) -> str:
    """``FILE.py:factory`` with the file found from the job file's folder; ``package.module:factory`` as it is."""
    source, colon, factory = value.rpartition(":")
    return f"{resolved(Path(source), info)}{colon}{factory}" if source.endswith(".py") else value


def trace_config(value: object) -> TraceConfig:
    """How a network is traced, from a mapping with some of its fields.

    Raises:
        ValueError: If it is no mapping, or a key or a value of it is none.
    """
    if isinstance(value, TraceConfig):
        return value
    names = [name for name in SETTINGS if name not in WEIGHTS]
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no mapping; write {names[0]}: VALUE and so on")
    for key in value:
        if key not in names:
            raise ValueError(f"unknown key {key!r}{nearest(str(key), names)}; write one of {', '.join(names)}")
    try:
        return TraceConfig(**value)
    except TypeError as error:
        raise ValueError(f"{dict(value)!r}: {error}; write what a setting takes") from None


def base_values(value: object) -> dict[str, Value]:
    """What settings are held at while others are tuned: the three weights, and what else is named.

    Raises:
        PlacedError: If it is no mapping, or a setting or its value is none.
    """
    values = {name: setting_value(name, entry, (name,)) for name, entry in _settings(value, "VALUE").items()}
    return {**asdict(Alpha()), **values}


def candidates(value: object) -> dict[str, tuple[Value, ...]]:
    """The candidates of each setting that is named, in the order of :data:`tracer.SETTINGS`.

    Raises:
        PlacedError: If it is no mapping of lists, or a setting or a candidate is none.
    """
    named = _settings(value, "a list of candidates")
    if not named:
        raise PlacedError((), "no setting to tune; write one, or leave arms out for cur, suc and pre")
    return {name: _axis(name, named[name]) for name in SETTINGS if name in named}


def setting_value(name: str, value: object, place: Place) -> Value:
    """A value of a setting, as the tracer takes it.

    Raises:
        PlacedError: If the setting does not take it.
    """
    try:
        if name in WEIGHTS:
            weight = _number(value)
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"{weight!r} is no weight; write a finite number of at least 0")
            return weight
        held: Value = Settings().changed({name: value}).values()[name]
    except (TypeError, ValueError) as error:
        raise PlacedError(place, str(error)) from error
    return held


def _settings(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PlacedError((), f"{value!r} is no mapping; write {SETTINGS[0]}: {what} and so on")
    for name in value:
        if name not in SETTINGS:
            near = nearest(str(name), SETTINGS)
            raise PlacedError((name,), f"unknown setting {name!r}{near}; write one of {', '.join(SETTINGS)}")
    return value


def _axis(name: str, listed: object) -> tuple[Value, ...]:
    if not isinstance(listed, (list, tuple)):
        raise PlacedError((name,), f"{listed!r} is no list; write one such as [0.0, 0.5, 1.0]")
    if not listed:
        raise PlacedError((name,), "no arm to pull; write at least one candidate, or leave the setting out")
    if len(listed) > MOST:
        raise PlacedError(
            (name,), f"{len(listed):,} candidates are more than the {MOST:,} arms of one bandit; leave some out"
        )
    values: dict[Value, None] = {}
    for position, entry in enumerate(listed):
        value = setting_value(name, entry, (name, position))
        if value in values:
            raise PlacedError((name,), f"{describe(value)} stands there twice; write each candidate once")
        values[value] = None
    return tuple(values)


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, Field(strict=True, le=LARGEST)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Resolved = Annotated[Path, AfterValidator(resolved)]
ResolvedFactory = Annotated[str, Field(min_length=1), AfterValidator(resolved_factory)]
