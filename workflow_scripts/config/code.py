"""The code that jobs run: which Python, which source files an entry point depends on, and which templates a page."""

import functools
import os
import sys
from pathlib import Path

import grimp
import jinja2
from jinja2 import meta


@functools.cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("workflow_scripts", cache_dir=None)


def source_files(entry_point: str) -> list[str]:
    """Relative paths of `workflow_scripts/<entry_point>.py`, every module of the project that it imports, directly or
    not, and the packages they live in.

    Snakemake compares small inputs by content. With these as inputs a rule runs again exactly when its own code
    changed, and not when a file was merely touched.
    """
    module = f"workflow_scripts.{entry_point}"
    modules = {module, *_graph().find_upstream_modules(module)}
    parents = {name.rsplit(".", cut)[0] for name in modules for cut in range(1, name.count(".") + 1)}
    return sorted(str(_path(name)) for name in modules | parents)


def _path(module: str) -> Path:
    path = Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


TEMPLATES = Path("workflow_scripts", "report", "templates")


def template_files(page: str) -> list[str]:
    """Relative paths of a page's template and of every template that it includes or imports, directly or not.

    ValueError for an include whose name is not written out: what it reads could not be known beforehand.
    """
    environment, found, todo = jinja2.Environment(), set(), [f"{page}.html.jinja"]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for other in meta.find_referenced_templates(environment.parse((TEMPLATES / name).read_text(encoding="utf-8"))):
            if other is None:
                raise ValueError(f"{TEMPLATES / name}: an include without a name. Write it out.")
            todo.append(other)
    return sorted(str(TEMPLATES / name) for name in found)


def use_this_python() -> None:
    """Jobs call `python`: that of the running environment, unless a conda environment puts its own in front."""
    folder = os.path.dirname(sys.executable)
    path = os.environ.get("PATH", "").split(os.pathsep)
    if path[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, *path])
