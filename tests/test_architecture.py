"""The tables of docs/architecture.md name the packages, rooms and modules that there are, and all of them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text()
SECTIONS = {
    package: DOCUMENT.partition(f"## The rooms of `{package}`\n")[2].partition("\n## ")[0]
    for package in ("tracer", "storage", "tuner", "experiments")
}


def cells(text: str) -> list[tuple[str, str]]:
    """The two cells of each row of a table, without its head."""
    return re.findall(r"^\| (.+?) \| (.+?) \|", text.partition("|---|")[2], re.MULTILINE)


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def named() -> Iterator[tuple[str, tuple[Path, ...]]]:
    """What each row names, with the folders that it is to be in: those of the row, or the package's."""
    for package, section in SECTIONS.items():
        for first, second in cells(section):
            rooms = tuple(ROOT / package / room for room in names(first))
            yield from ((room.relative_to(ROOT / package).as_posix() + "/", (ROOT / package,)) for room in rooms)
            yield from ((name, rooms or (ROOT / package,)) for name in names(second))


def is_there(name: str, folder: Path) -> bool:
    """Whether a folder has the room (``name/``), the file, the class or the module."""
    if name.endswith("/"):
        return (folder / name).is_dir()
    if name[0].isupper():
        return any(re.search(rf"^class {name}\b", path.read_text(), re.MULTILINE) for path in folder.rglob("*.py"))
    if name.endswith(".html"):
        return any(folder.rglob(name))
    return (folder / f"{name}.py").is_file() or (ROOT / f"{name.replace('.', '/')}.py").is_file()


@pytest.mark.parametrize(("name", "folders"), list(named()), ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_row_names_is_there(name: str, folders: tuple[Path, ...]) -> None:
    assert any(is_there(name, folder) for folder in folders), f"{name} is not in {', '.join(map(str, folders))}"


def test_each_package_has_a_row_and_a_table_of_its_rooms() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert [name for first, _ in cells(DOCUMENT)[:4] for name in names(first)] == [
        "tracer",
        "storage",
        "tuner",
        "experiments",
    ]
    assert packages == set(SECTIONS)
    assert all(map(cells, SECTIONS.values()))


@pytest.mark.parametrize("package", SECTIONS)
def test_each_room_and_each_module_beside_the_rooms_is_named(package: str) -> None:
    there = {f"{path.name}/" for path in (ROOT / package).iterdir() if path.is_dir() and path.name != "__pycache__"}
    there |= {path.stem for path in (ROOT / package).glob("*.py") if not path.stem.startswith("__")}
    assert there - set(names(SECTIONS[package])) == set()
