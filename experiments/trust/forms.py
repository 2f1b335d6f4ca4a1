"""What a browser sends of a trial's form, read and checked."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from experiments.trust.answers import Answer

SCALE = range(1, 6)
"""How reliable a map may be said to be."""

BEST = "best"
"""The field of the first question: the place of a map, from 1."""

SHOWN = "shown"
"""The hidden field that says when the page was made, in milliseconds."""

_MOST_FIELDS = 20
_LONGEST_RT = 24 * 3600 * 1000
"""A page that was open for longer than a day says nothing of how long an answer took."""


def score_field(place: int) -> str:
    """The field of how reliable the map at a place is, from 0."""
    return f"score_{place + 1}"


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of a form as browsers send them; none where the body is no form."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def missing(fields: Mapping[str, str], places: int) -> list[str]:
    """The questions without an answer that can be, by their fields, in the order of the page."""
    allowed = {BEST: {str(place + 1) for place in range(places)}}
    allowed |= {score_field(place): {str(score) for score in SCALE} for place in range(places)}
    return [name for name, values in allowed.items() if fields.get(name) not in values]


def read_answer(fields: Mapping[str, str], places: int, now: int) -> Answer:
    """The answer of a form in which nothing is :func:`missing`.

    Args:
        fields: The form's.
        places: How many maps the trial has.
        now: Milliseconds, by the clock of the field ``shown``.
    """
    shown = fields.get(SHOWN, "")
    rt = now - int(shown) if shown.isdecimal() and len(shown) < 15 else -1
    scores = tuple(int(fields[score_field(place)]) for place in range(places))
    return Answer(int(fields[BEST]) - 1, scores, rt if 0 <= rt <= _LONGEST_RT else None)
