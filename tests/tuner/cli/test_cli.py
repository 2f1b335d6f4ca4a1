"""The command line: fast help, stable documented fields, one line for what goes wrong."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tuner.cli import main

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(main.commands)
HEAVY = {"torch", "ray", "sqlalchemy", "pydantic", "rich", "matplotlib", "numpy"}


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import contextlib, io, sys
from tuner.cli import main
for command in {COMMANDS}:
    with contextlib.redirect_stdout(io.StringIO()):
        main([command, "--help"], standalone_mode=False)
print(*sorted({{name.split(".")[0] for name in sys.modules}}))
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "tuner" in loaded
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_command_does(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 4


def test_a_name_that_is_none_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", "--name", "a/b", "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr.startswith("tuner: tuner demo: name: 'a/b' is no name; write letters")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in {"db", "serve", "drive", "attempts"}])
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"`tuner {command}\b", (ROOT / "docs" / "commands.md").read_text())
