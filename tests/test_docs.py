"""The documents point at what is there, and their code runs."""

import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_point_at_files_that_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_the_lines_that_register_a_rule_run() -> None:
    from tracer.rules.base import _RULES

    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "method.md").read_text(), re.DOTALL)
    try:
        exec(code, {})
        assert torch.ops.aten.asinh.default in _RULES
    finally:
        _RULES.pop(torch.ops.aten.asinh.default, None)
