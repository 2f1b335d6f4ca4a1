"""The XML file of an image's objects, as PASCAL VOC made it and ImageNet took it over."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from tuner.datasets.text import read_bytes
from tuner.errors import DatasetError

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MAX_BYTES = 1_000_000
_MAX_DEPTH = 32
_BOX = ("annotation", "object", "bndbox")


@dataclass
class AnnotatedObject:
    """An object of an annotation.

    Attributes:
        line: Where its ``<object>`` begins, from 1.
        name: Its class.
        corners: ``xmin, ymin, xmax, ymax`` as written.
    """

    line: int
    name: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def corners(self, path: Path) -> tuple[float, float, float, float]:
        """``xmin, ymin, xmax, ymax`` as written.

        Raises:
            DatasetError: If one is missing or is no number.
        """
        try:
            x0, y0, x1, y1 = (float(self.texts[corner]) for corner in _CORNERS)
        except (KeyError, ValueError) as error:
            raise DatasetError(
                f"{path}:{self.line}: object {self.name!r} has no bndbox of four numbers ({error}); write {_CORNERS}"
            ) from error
        return x0, y0, x1, y1


def read_annotation(path: Path) -> list[AnnotatedObject]:
    """The objects of an annotation file. Boxes of an object's parts (head, hand, foot) are not the object's.

    Raises:
        DatasetError: If the file is missing, is no XML, is longer than a million bytes or more than 32 levels deep;
            names the line.
    """
    objects: list[AnnotatedObject] = []
    open_tags: list[str] = []
    parser = expat.ParserCreate()

    def start(tag: str, _: dict[str, str]) -> None:
        open_tags.append(tag)
        if len(open_tags) > _MAX_DEPTH:
            raise DatasetError(f"{path}:{parser.CurrentLineNumber}: more than {_MAX_DEPTH} levels deep; mend the file")
        if tuple(open_tags) == _BOX[:2]:
            objects.append(AnnotatedObject(parser.CurrentLineNumber))

    def end(_: str) -> None:
        open_tags.pop()

    def characters(text: str) -> None:
        place = tuple(open_tags)
        if place == (*_BOX[:2], "name"):
            objects[-1].name += text.strip()
        elif place[:-1] == _BOX and place[-1] in _CORNERS:
            objects[-1].texts[place[-1]] = objects[-1].texts.get(place[-1], "") + text

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.buffer_text = True
    try:
        parser.Parse(read_bytes(path, _MAX_BYTES, "no such annotation; add it or take the image out"), True)
    except expat.ExpatError as error:
        raise DatasetError(
            f"{path}:{error.lineno}: not XML ({expat.ErrorString(error.code)}); mend the file"
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that is not known, or that XML cannot have
        raise DatasetError(f"{path}: cannot be read ({error}); mend the file") from error
    return objects
