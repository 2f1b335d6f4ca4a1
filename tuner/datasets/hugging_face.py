"""Objects as Hugging Face's data sets hold them: ``{"bbox": [[x, y, width, height], ...], "categories": [...]}``.

Boxes are COCO's: x, y, width, height in pixels. A category is a number or a name; it may also be called ``category``,
``label`` or ``labels``, and may be missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.datasets.boxes import from_extent
from tuner.datasets.classes import Classes
from tuner.datasets.record import Convention, Instance
from tuner.errors import DatasetError

CONVENTION = Convention(from_extent, overhang=1.0)
CATEGORIES = ("categories", "category", "labels", "label")
"""What the column of the classes is called."""


def read_objects(objects: Any, where: str, classes: Classes, names: Sequence[str] = ()) -> Iterator[Instance]:
    """The instances of one image.

    Args:
        objects: What the data set holds of it.
        where: Where it stands, for messages.
        classes: The order of the network's classes.
        names: What the data set calls the categories that are numbers.

    Raises:
        DatasetError: If they are not of this form.
    """
    try:
        if isinstance(objects, list):  # an object each, in place of a list of each key
            objects = {key: [each[key] for each in objects] for key in {"bbox": None, **(objects or [{}])[0]}}
        boxes = [tuple(map(float, box)) for box in objects["bbox"]]
        kinds = next((objects[name] for name in CATEGORIES if objects.get(name) is not None), [None] * len(boxes))
        for (x, y, width, height), kind in zip(boxes, kinds, strict=True):
            yield Instance((x, y, width, height), _label(kind, where, classes, names), where)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        form = '{"bbox": [[x, y, width, height]], "categories": [0]}'
        raise DatasetError(f"{where}: no objects with boxes ({type(error).__name__}: {error}); write {form}") from error


def _label(kind: Any, where: str, classes: Classes, names: Sequence[str]) -> int | None:
    if kind is None:
        return None
    named = names[kind] if isinstance(kind, int) and 0 <= kind < len(names) else str(kind)
    return classes.index(named, where)


def category_names(features: Any) -> Sequence[str]:
    """The names of the categories in a data set's description of its columns; empty where it has none.

    Args:
        features: The description, as ``datasets`` writes it.
    """
    if isinstance(features, Mapping):
        names = features.get("names")
        if features.get("_type") == "ClassLabel" and isinstance(names, list):
            return names
        parts: Any = features.values()
    else:
        parts = features if isinstance(features, list) else ()
    return next((names for part in parts if (names := category_names(part))), ())
