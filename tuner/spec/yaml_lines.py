"""YAML files with the line of every value, so that a mistake can be shown where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tuner.errors import SpecError

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Located:
    """A YAML file's content.

    Args:
        path: The file.
        data: Plain values.
        lines: Line of each value, from 1, by its place: the keys and positions that lead to it.
    """

    path: Path
    data: Any
    lines: dict[Place, int]

    def place(self, place: Place) -> str:
        """``FILE:LINE`` of the value at a place, or of what holds it where the value is missing."""
        while place not in self.lines and place:
            place = place[:-1]
        return f"{self.path}:{self.lines[place]}" if place else str(self.path)


def read_yaml(path: Path) -> Located:
    """The content of a YAML file.

    Raises:
        SpecError: If the file is missing or unreadable, is no YAML, or has a key twice; names line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError(f"{path}: no such file; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SpecError(f"{path}: cannot be read ({reason}); give a YAML file") from error
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines = {} if node is None else dict(_lines(node, (), path))
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise SpecError(f"{path}{where}: not YAML: {error.problem}; mend the line or the one above") from error
    except RecursionError as error:
        raise SpecError(f"{path}: not a tree: a value holds itself; write it out") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SpecError(f"{path}: not YAML: {' '.join(str(error).split())}; give a text file") from error
    return Located(path, data, lines)


def _lines(node: yaml.Node, place: Place, path: Path) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            yield from _lines(child, (*place, position), path)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # a list or mapping as a key: construction refuses it
            if key.value in seen:
                mark = key.start_mark
                raise SpecError(
                    f"{path}:{mark.line + 1}:{mark.column + 1}: key {key.value!r} stands there twice; keep one"
                )
            seen.add(key.value)
            yield (*place, key.value), key.start_mark.line + 1
            if isinstance(child, (yaml.MappingNode, yaml.SequenceNode)):
                for inner, line in _lines(child, (*place, key.value), path):
                    if inner != (*place, key.value):
                        yield inner, line
