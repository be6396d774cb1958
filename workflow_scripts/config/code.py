"""The code that jobs run: the Python interpreter, and a hash of everything in the package that an entry point uses."""

import functools
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp

from workflow_scripts.common.package_files import PACKAGE

PACKAGE_FILE_CALL = re.compile(r'\bpackage_file\((?:"([^"]*)"\))?')
INCLUDE = re.compile(r'\{%-?\s*(?:include|import|extends|from)\b(?:\s+"([^"]+)")?')


@functools.cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE.name, cache_dir=None)


def code_hash(entry_point: str) -> str:
    """SHA-256 (16 hex digits) of the source of `workflow_scripts.<entry_point>` and of all that it uses.

    As a parameter of a rule it makes Snakemake rerun the rule exactly when its code, prompts, templates or tables change,
    and not when a file is only touched.
    """
    digest = hashlib.sha256()
    for path in source_files(entry_point):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def source_files(entry_point: str) -> list[Path]:
    """The modules that an entry point imports, directly or indirectly, their packages, and the package files they read."""
    module = f"{PACKAGE.name}.{entry_point}"
    modules = {module, *_graph().find_upstream_modules(module)}
    parents = {name.rsplit(".", cut)[0] for name in modules for cut in range(1, name.count(".") + 1)}
    paths = {_path(name) for name in modules | parents}
    return sorted(paths.union(*map(_package_files, paths)))


def _path(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def _package_files(path: Path) -> frozenset[Path]:
    """The files that a module names with `package_file`: all files of a folder, a template with all that it includes.

    ValueError for a name that is not a literal.
    """
    found: set[Path] = set()
    if path.name == "package_files.py":
        return frozenset()
    for call in PACKAGE_FILE_CALL.finditer(path.read_text(encoding="utf-8")):
        if call[1] is None:
            raise ValueError(f"{path}: package_file needs one literal name.")
        named = PACKAGE / call[1]
        found.update(_folder_files(named) if named.is_dir() else _with_included(named))
    return frozenset(found)


def _folder_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))


def _with_included(path: Path) -> Iterator[Path]:
    """A file and, if it is a page template, every template that it includes or imports, directly or indirectly.

    ValueError for an include whose name is not a literal: it could refer to any file.
    """
    found, todo = set(), [path]
    while todo:
        if (path := todo.pop()) in found:
            continue
        found.add(path)
        if path.suffix != ".jinja":
            continue
        for reference in INCLUDE.finditer(path.read_text(encoding="utf-8")):
            if reference[1] is None:
                raise ValueError(f"{path}: an include needs a literal name.")
            todo.append(path.parent / reference[1])
    yield from found


def use_this_python() -> None:
    """Put the running environment first on PATH, because jobs call `python`. A rule's conda environment still precedes it."""
    folder = os.path.dirname(sys.executable)
    path = os.environ.get("PATH", "").split(os.pathsep)
    if path[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, *path])
