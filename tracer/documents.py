"""YAML as plain trees of values: read strictly and within bounds, each value with its line, and written.

Job files and weight files are read here. A few hundred bytes of YAML can stand for more values than memory holds (an
alias of a list of aliases of a list, and so on), so aliases are refused. Tags, keys that are given twice, deep nesting
and long files are refused as well. Dates stay text. Fractions are those of YAML 1.2, so ``1e-3`` is a number.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tracer.errors import DocumentError
from tracer.files import open_regular

MAX_BYTES = 500_000
"""How long a file may be; this much is read in a few seconds, and a weight file has a few kilobytes."""

MAX_DEPTH = 32
"""How deep lists and mappings may lie in one another."""

MAX_DIGITS = 100
"""How many characters a number may have; a float has 24 at most."""

Place = tuple[str | int, ...]
"""The keys and positions that lead to a value."""


@dataclass(frozen=True)
class Document:
    """A tree of plain values and where it comes from.

    Args:
        source: What messages call it: the file.
        data: The values: mappings, lists, text, numbers, truth values and ``None``.
        lines: Line of each value in the file, from 1.
    """

    source: str
    data: Any
    lines: Mapping[Place, int] = field(default_factory=dict)

    def place(self, place: Place) -> str:
        """``FILE:LINE`` of the value at a place, or of what holds it where the value is missing."""
        while place not in self.lines and place:
            place = place[:-1]
        return f"{self.source}:{self.lines[place]}" if place else self.source


def read_document(path: Path) -> Document:
    """The content of a YAML file.

    Raises:
        DocumentError: If the file is missing or unreadable, is no YAML, or is more than a tree of plain values within
            the bounds; one line with the file and, where one is to blame, the line and column.
    """
    return parse_document(_text(path), str(path))


def parse_document(text: str, source: str) -> Document:
    """The content of a text in YAML.

    Args:
        text: At most :data:`MAX_BYTES` characters.
        source: What messages call it.

    Raises:
        DocumentError: As :func:`read_document`.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines = {} if node is None else dict(_lines(node, ()))
        data = None if node is None else loader.construct_document(node)
    except _RefusedError as error:
        raise DocumentError(f"{source}{_shown(error.problem_mark)}: {error.problem}") from error
    except yaml.MarkedYAMLError as error:
        where = _shown(error.problem_mark or error.context_mark)
        raise DocumentError(f"{source}{where}: not YAML: {error.problem}; mend the line or the one above") from error
    except yaml.YAMLError as error:
        raise DocumentError(f"{source}: not YAML: {' '.join(str(error).split())}; give a text file") from error
    return Document(source, data, lines)


class Dumper(yaml.SafeDumper):
    """Writes what :func:`parse_document` reads back as it was."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Never refer to a value that stands before."""
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Text, in double quotes where YAML would fold it."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


def dump_document(data: Any, *, dumper: type[Dumper] = Dumper, width: int = 80) -> str:
    """Plain values as YAML, the keys in their order; text that would be read as another value stands in quotes.

    Args:
        data: Mappings, lists, text, numbers, truth values and ``None``.
        dumper: How values are written.
        width: After how many characters a line breaks.
    """
    return str(yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=width))


def _text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise DocumentError(f"{path}: longer than {MAX_BYTES} bytes; leave out what is not needed")
        return content.decode("utf-8")
    except FileNotFoundError as error:
        raise DocumentError(f"{path}: no such file; check the path") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: cannot be read (not UTF-8 text); give a YAML file") from error
    except (OSError, ValueError) as error:  # a null character in a path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise DocumentError(f"{path}: cannot be read ({reason}); give a YAML file") from error


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    """The line of each value; that of a mapping's entry is its key's."""
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            yield from _lines(child, (*place, position))
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            if isinstance(key, yaml.ScalarNode):  # construction refuses a list or a mapping as a key
                inner = (*place, key.value)
                yield from _lines(child, inner)
                yield inner, key.start_mark.line + 1


def _shown(mark: yaml.Mark | None) -> str:
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""


class _RefusedError(yaml.MarkedYAMLError):
    """YAML that is sound, but is not read here; its problem says why, and the mend."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """Makes a tree of plain values, or raises :class:`_RefusedError` where it begins to be something else."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _RefusedError(f"alias *{event.anchor}; write the value out", event.start_mark)
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag is not None:
            raise _RefusedError(f"tag {event.tag}; write the plain value", event.start_mark)
        if self._depth == MAX_DEPTH:
            raise _RefusedError(f"more than {MAX_DEPTH} levels deep; write it flatter", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (list, dict)):  # what is no key at all is the base class's to refuse
                if key in keys:
                    raise _RefusedError(f"key {key!r} stands there twice; keep one", key_node.start_mark)
                keys.add(key)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        if len(node.value) > MAX_DIGITS:
            raise _RefusedError(f"a number of {len(node.value)} characters; write a shorter one", node.start_mark)
        try:
            number: float = _NUMBERS[node.tag](self, node)
        except ValueError as error:
            raise _RefusedError(
                f"{node.value!r} is no number; write one, or put it in quotes", node.start_mark
            ) from error
        return number


_FLOAT = "tag:yaml.org,2002:float"
_NUMBERS = {
    "tag:yaml.org,2002:int": yaml.SafeLoader.construct_yaml_int,
    _FLOAT: yaml.SafeLoader.construct_yaml_float,
}
_FRACTION = re.compile(
    r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))\Z"
    r"|\.(?:nan|NaN|NAN)\Z"
)
"""A float of YAML 1.2, Section 10.3.2. PyYAML's, of YAML 1.1, leaves ``1e-3`` and ``1.0e3`` text."""
_PLAIN = {*_NUMBERS, "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"}

for _tag in _NUMBERS:
    _Loader.add_constructor(_tag, _Loader.construct_number)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _FRACTION if tag == _FLOAT else pattern) for tag, pattern in resolvers if tag in _PLAIN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Dumper.add_implicit_resolver(_FLOAT, _FRACTION, list("-+.0123456789"))
Dumper.add_representer(str, Dumper.represent_text)
