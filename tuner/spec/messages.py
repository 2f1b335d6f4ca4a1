"""What is wrong with a job file, as one line that a user can act on."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from tracer.documents import Document, Place
from tracer.errors import nearest

_WORDS = {
    "missing": "is missing; add it",
    "string_pattern_mismatch": "{input!r} is no name; write letters, digits, '.', '_' and '-', a letter or digit first",
    "model_type": "{input!r} is no mapping; write KEY: VALUE below it",
    "model_attributes_type": "{input!r} is no mapping; write KEY: VALUE below it",
    "tuple_type": "{input!r} is no list; write one such as [0.0, 0.5, 1.0]",
    "literal_error": "{input!r} is none of its values; write {expected}",
    "int_type": "{input!r} is not a whole number; write one",
    "float_type": "{input!r} is not a number; write one",
    "string_type": "{input!r} is not text; write it in quotes",
    "bool_type": "{input!r} is neither true nor false; write one of them",
    "bool_parsing": "{input!r} is neither true nor false; write one of them",
    "path_type": "{input!r} is no path; write one",
    "greater_than_equal": "{input!r} is too small; write at least {ge}",
    "less_than_equal": "{input!r} is too large; write at most {le}",
    "union_tag_not_found": "kind is missing; write kind: and one of {kinds}",
    "union_tag_invalid": "unknown kind {tag!r}{near}; write one of {kinds}",
    "extra_forbidden": "unknown key{near}; write one of {known}",
    "value_error": "{error}",
}
"""What is wrong and the mend, by pydantic's type of error."""


_WAITING = "default_factory_not_called"
"""No mistake of its own: a default that follows from a field which is bad."""


class PlacedError(ValueError):
    """A mistake within the value that is being validated.

    Args:
        place: The keys and positions that lead to it, from that value.
        message: What is wrong; the mend.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


def first_mistake(error: ValidationError, model: type[BaseModel], document: Document) -> str:
    """The first mistake as ``FILE:LINE: place: what is wrong; the mend``, and how many more there are.

    Args:
        error: What validating ``document.data`` raised.
        model: What it was validated as.
        document: The file.
    """
    mistakes = [mistake for mistake in error.errors() if mistake["type"] != _WAITING]
    places = [_place(_location(mistake), document.data) for mistake in mistakes]
    place, mistake = places[0], mistakes[0]
    where = ".".join(map(str, place))
    others = len(set(places) - {place})
    rest = f" (and {others} more to mend)" if others else ""
    return f"{document.place(place)}: {where + ': ' if where else ''}{_words(mistake, place, model)}{rest}"


def _location(mistake: Any) -> Place:
    place: Place = mistake["loc"] + getattr(mistake.get("ctx", {}).get("error"), "place", ())
    return place


def _place(location: Place, data: Any) -> Place:
    """The location without the names of union members, which pydantic puts between the file's own keys."""
    place: Place = ()
    for depth, part in enumerate(location):
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            if depth < len(location) - 1 or not isinstance(data, dict):
                continue  # a union's member, or a part of a value that should have been a container
        place = (*place, part)
    return place


def _words(mistake: Any, place: Place, model: type[BaseModel]) -> str:
    details = mistake.get("ctx", {})
    beside = [part for part in _models(model, place[:-1]) if not _kinds(part) or set(_kinds(part)) & {*mistake["loc"]}]
    known = list(dict.fromkeys(name for part in beside for name in part.model_fields))
    kinds = [kind for part in _models(model, place) for kind in _kinds(part)]
    near = nearest(str(details.get("tag") or (place[-1] if place else "")), kinds if "tag" in details else known)
    text = _WORDS.get(mistake["type"])
    if text is None:
        return f"{mistake['input']!r}: {mistake['msg'].removeprefix('Input ')}; mend it"
    return text.format_map(
        {**details, "input": mistake["input"], "near": near, "known": ", ".join(known), "kinds": ", ".join(kinds)}
    )


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    """The kinds that a model describes, of one that is chosen by its kind."""
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def _models(model: type[BaseModel], place: Place) -> Iterator[type[BaseModel]]:
    """The models whose keys may stand at a place."""
    if not place:
        yield model
    elif place[0] in model.model_fields:
        for part in _members(model.model_fields[str(place[0])].annotation):
            yield from _models(part, place[1:])


def _members(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _members(part)
