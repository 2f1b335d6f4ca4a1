"""Functions of the user's own, named in a job file or on the command line: they make networks, explainers, rewards."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tracer.errors import FactoryError, nearest


def make(named: str, *arguments: Any, **keywords: Any) -> Any:
    """What the function that ``"package.module:factory"`` or ``"path/to/file.py:factory"`` names makes.

    Args:
        named: The function.
        *arguments: What it takes.
        **keywords: What it takes by name.

    Raises:
        FactoryError: If the module cannot be imported, has no such function (names the nearest), or the function raises
            anything.
    """
    source, _, name = named.rpartition(":")
    with _blamed(named):
        namespace = _file_module(Path(source)) if source.endswith(".py") else importlib.import_module(source)
    factory = getattr(namespace, name, None)
    if not callable(factory):
        public = [key for key, value in vars(namespace).items() if callable(value) and not key.startswith("_")]
        raise FactoryError(f"{named!r}: {source} has no {name!r}{nearest(name, public)}")
    with _blamed(named):
        return factory(*arguments, **keywords)


def source_files(named: str) -> list[Path]:
    """The files that a function stands in: its own, and those beside it where it lies in a package, sorted.

    Raises:
        FactoryError: If the module cannot be imported.
    """
    source = named.rpartition(":")[0]
    if source.endswith(".py"):
        return [Path(source)]
    with _blamed(named):
        module = importlib.import_module(source)
    file = getattr(module, "__file__", None)
    if file is None:  # it is a part of the interpreter, or a folder without code
        return []
    return sorted({Path(file), *(Path(file).parent.glob("*.py") if module.__package__ else ())})


@contextlib.contextmanager
def _blamed(named: str) -> Iterator[None]:
    """Whatever the user's own code raises becomes one line that names it."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise FactoryError(f"{named!r} could not be made: {reason}") from error


def _file_module(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(f"tracer_factory_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles in the file look their module up by name
    spec.loader.exec_module(module)
    return module
