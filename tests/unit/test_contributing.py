"""The table of promises in CONTRIBUTING.md names existing tests, each in the column of the command that runs it."""

import ast
import re
from pathlib import Path

import pytest

ROWS = [
    line.strip("|").split("|")
    for line in Path("CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "](tests/" in line
]


def slow_by_name(path: Path) -> dict[str, bool]:
    """{name: whether it is marked slow} of the test functions of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    all_slow = any(isinstance(node, ast.Assign) and "pytest.mark.slow" in ast.unparse(node) for node in tree.body)
    return {
        node.name: all_slow or any("mark.slow" in ast.unparse(decorator) for decorator in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip()[:40])
def test_a_promise_names_existing_tests(row):
    for column, slow in ((1, False), (2, True)):
        named = re.findall(r"\]\((tests/[\w/.]+)\)|`(test_\w+)`", row[column])
        module: dict[str, bool] = {}
        for path, name in named:
            if path:
                module = slow_by_name(Path(path))
            else:
                assert module[name] is slow, name


def test_there_is_a_table():
    assert len(ROWS) >= 12
