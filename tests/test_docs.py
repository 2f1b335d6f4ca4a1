"""The documents point at what is there, and their code runs."""

import ast
import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import torch

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_point_at_files_that_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tests_that_are_named_are_there(document: Path) -> None:
    for named in re.findall(r"`(tests/[\w/]+\.py)", document.read_text()):
        assert (ROOT / named).is_file(), named


@pytest.mark.parametrize("script", sorted((ROOT / "docs").glob("*.py")), ids=lambda path: path.name)
def test_what_scripts_import_of_the_project_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in (
            "tracer",
            "tuner",
            "storage",
            "tests",
        ):
            for alias in node.names:
                module = import_module(str(node.module))
                assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), alias.name


def test_the_lines_that_register_a_rule_run() -> None:
    from tracer.rules.base import _RULES

    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "method.md").read_text(), re.DOTALL)
    try:
        exec(code, {})
        assert torch.ops.aten.asinh.default in _RULES
    finally:
        _RULES.pop(torch.ops.aten.asinh.default, None)


def shown_commands() -> list[str]:
    """Every call of one of the three commands in the documents, on a line of its own or within one, without comment."""
    texts = [document.read_text() for document in DOCUMENTS]
    shown = [line for text in texts for line in re.findall(r"^ {4}((?:tracer|tuner|experiments) [a-z].*)", text, re.M)]
    shown += [call for text in texts for call in re.findall(r"`((?:tracer|tuner|experiments) [a-z][^`]*)`", text)]
    calls = (re.split(r"\s+#|\s+\(|;| \.\.\.", line)[0].replace("[", "").replace("]", "") for line in shown)
    return list(dict.fromkeys(" ".join(call.split()) for call in calls))


@pytest.mark.parametrize("call", shown_commands())
def test_commands_that_are_shown_exist_with_their_options(call: str) -> None:
    program, *words = shlex.split(call)
    main: click.Command = import_module(f"{program}.cli").main
    check(main, click.Context(main, info_name=program), words)


def check(command: click.Command, context: click.Context, words: list[str]) -> list[str]:
    """Whether a command has the options among the words, and so on with its commands; returns the words left over."""
    _, words, _ = command.make_parser(context).parse_args(words)
    while isinstance(command, click.Group) and words:
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, f"{context.command_path} has no command {name}"
        inner = click.Context(found, context, name, allow_interspersed_args=False if command.chain else None)
        words = check(found, inner, words)
        if not command.chain:
            break
    return words


def test_commands_of_all_three_programs_are_shown() -> None:
    assert {call.split()[0] for call in shown_commands()} == {"tracer", "tuner", "experiments"}
