"""The size budget: short functions, short files. Who needs more cuts, or says here why a table may be long."""

import ast
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("ballast", "adapters", "tasks", "flows", "deployments", "web", "sim", "bench")
LONG_TABLES = frozenset[str]()
"""Files that are tables of codes or words and may be longer than a file of code."""
MEDIAN, P95, MOST, FILE = 10, 45, 60, 400


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


def functions() -> list[tuple[int, str]]:
    """(lines, where) of every function, decorators and signature included."""
    return [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    ]


def test_there_is_something_to_measure() -> None:
    assert len(functions()) > 300
    assert {path.relative_to(ROOT).parts[0] for path in sources()} == set(FOLDERS)


def test_no_function_is_too_long() -> None:
    assert [f"{where}: {lines}" for lines, where in functions() if lines > MOST] == []


def test_functions_are_short_as_a_rule() -> None:
    lengths = [lines for lines, _ in functions()]
    assert median(lengths) <= MEDIAN
    assert quantiles(lengths, n=20)[-1] <= P95


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in LONG_TABLES:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE
