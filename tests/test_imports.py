"""The packages import one another in one direction only (docs/architecture)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SIBLINGS = {"tracer", "storage", "tuner", "experiments"}
ALLOWED = {
    "tracer": set(),
    "storage": set(),
    "tuner": {"tracer", "storage"},
    "experiments": {"tuner", "tracer", "storage"},
}


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that a module imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(SIBLINGS))
def test_package_imports_only_what_lies_below_it(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    for module in modules:
        forbidden = (imported(module) & SIBLINGS) - ALLOWED[package] - {package}
        assert not forbidden, f"{module.relative_to(ROOT)} imports {sorted(forbidden)}"


def test_policies_import_only_numpy_and_the_standard_library() -> None:
    for module in sorted((ROOT / "tuner" / "policies").rglob("*.py")):
        foreign = imported(module) - set(sys.stdlib_module_names) - {"numpy", "tuner"}
        assert not foreign, f"{module.relative_to(ROOT)} imports {sorted(foreign)}"
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tuner"):
                assert node.module.startswith("tuner.policies"), f"{module.name} imports {node.module}"


@pytest.mark.parametrize("module", ["tuner.play.lifecycle", "tuner.workers.actors", "tuner.results.tables"])
def test_what_plays_and_shows_a_job_needs_no_torch(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('torch', 'numba') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout == "[]\n"
