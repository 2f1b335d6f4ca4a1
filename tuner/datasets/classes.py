"""Names of classes in the order of a network's scores."""

from pathlib import Path

from tracer.errors import nearest
from tuner.datasets.text import read_lines
from tuner.errors import DatasetError


class Classes:
    """Indices of classes by name, read from a text file whose line number, less one, is the index.

    Args:
        path: The file; ``None`` where the order is not known: every label is ``None`` then.
        first_word: Whether a name is the first word of its line (synsets) instead of the whole.

    Raises:
        DatasetError: If the file is missing, or names a class twice.
    """

    def __init__(self, path: Path | None, *, first_word: bool = False) -> None:
        self._path = path
        self._index: dict[str, int] = {}
        for index, line in enumerate(read_lines(path) if path else ()):
            name = line.split(maxsplit=1)[0] if first_word and line.strip() else line.strip()
            if name in self._index:
                raise DatasetError(f"{path}:{index + 1}: class {name!r} stands in line {self._index[name] + 1} already")
            self._index[name] = index

    def index(self, name: str, where: str) -> int | None:
        """The index of a class; ``None`` where the order of classes is not known.

        Args:
            name: The class.
            where: Where it is named, for the message.

        Raises:
            DatasetError: If the file has no such class; gives the nearest.
        """
        if self._path is None:
            return None
        if name not in self._index:
            raise DatasetError(f"{where}: class {name!r}{nearest(name, self._index)} is not in {self._path}; add it")
        return self._index[name]
