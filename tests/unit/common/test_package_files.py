"""Files of the package: absolute paths, and every literal name in the code exists."""

import ast
import os

import pytest

from workflow_scripts.common.package_files import PACKAGE, package_file


def literal_names():
    """(module, name) of every call of `package_file` in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "package_file":
                yield path.relative_to(PACKAGE).as_posix(), getattr(node.args[0], "value", None)


def test_a_path_is_absolute_whatever_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = package_file("training/shapes.yaml")
    assert path.is_absolute() and path.is_file()
    assert os.path.basename(PACKAGE) == "workflow_scripts" and path == PACKAGE / "training" / "shapes.yaml"


@pytest.mark.parametrize(("module", "name"), list(literal_names()))
def test_every_named_file_exists(module, name):
    assert isinstance(name, str), "package_file needs a literal name"
    assert package_file(name).exists()
