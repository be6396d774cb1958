"""What a rule's job depends on is found from its imports: held against the source text."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.config import code
from workflow_scripts.config.code import source_files, template_files, use_this_python

PACKAGE = Path("workflow_scripts")
ENTRY_POINTS = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
RULES = "\n".join(path.read_text(encoding="utf-8") for path in sorted(Path("rules").glob("*.smk")))


def file_of(module):
    path = Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported(path):
    """The project's modules that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("workflow_scripts"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workflow_scripts"):
            yield node.module
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if file_of(name).exists())


def reached(entry_point):
    """All files that running an entry point reads, packages included."""
    todo, found = [f"workflow_scripts.{entry_point}"], set()
    while todo:
        module = todo.pop()
        if file_of(module) not in found:
            found.add(file_of(module))
            todo += [*imported(file_of(module)), *([module.rpartition(".")[0]] if "." in module else [])]
    return found


# For users, not for rules; and what the rules' commands are run by.
COMMANDS = {
    "chat",
    "decontaminate",
    "estimate_synthesis",
    "plan_training",
    "publish",
    "request_cache",
    "review",
    "on_gpus",
}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_every_module_that_an_entry_point_reaches_is_named(entry_point):
    assert source_files(entry_point) == sorted(map(str, reached(entry_point)))


def test_importing_an_entry_point_loads_nothing_heavy():
    """And no other file than was found; heavy libraries are imported by the function that needs them."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(f'workflow_scripts.{name}')\n"
        "    print(name, *(m.__file__ for n, m in sorted(sys.modules.items()) if n.startswith('workflow_scripts')))\n"
        "    for loaded in [n for n in sys.modules if n.startswith('workflow_scripts')]:\n"
        "        del sys.modules[loaded]\n"
        "print(*{'torch', 'transformers', 'datasets', 'trl', 'lm_eval', 'xllamacpp', 'lingua'} & set(sys.modules))\n"
    )
    command = [sys.executable, "-c", code, *ENTRY_POINTS]
    *lines, heavy = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert heavy == ""
    assert len(lines) == len(ENTRY_POINTS)
    for name, *files in map(str.split, lines):
        assert {os.path.relpath(file) for file in files} <= set(source_files(name)), name


def test_what_a_stage_does_not_use_does_not_rerun_it():
    files = source_files("clean_source")
    assert "workflow_scripts/seeds/cleaning/rules.py" in files
    assert not [name for name in files if "synthesis" in name or "training" in name]


def test_each_rule_depends_on_the_code_that_it_runs():
    """Rule, entry point and log have one name: rule clean_source runs workflow_scripts.seeds.clean_source."""
    rules = re.split(r"^rule ", RULES, flags=re.MULTILINE)[1:]
    assert rules
    for text in rules:
        name = text.partition(":")[0]
        assert f'code=source_files("{name}")' in text, name
        # `on_gpus` runs the rule's own entry point and changes no result, so no rule depends on it.
        assert {*re.findall(r"-m workflow_scripts\.(\w+)", text)} - {"on_gpus"} == {name}
    assert {*(text.partition(":")[0] for text in rules), *COMMANDS} == {*ENTRY_POINTS}


def test_jobs_run_this_python(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    for _ in range(2):
        use_this_python()
        assert os.environ["PATH"].split(os.pathsep) == [os.path.dirname(sys.executable), "/usr/bin"]


def test_the_templates_of_a_page_are_found_with_all_that_they_include():
    names = {Path(path).name.removesuffix(".html.jinja") for path in template_files("index")}
    assert {"index", "style", "run", "flow", "figure", "contamination", "hit"} <= names
    assert {Path(path).name for path in template_files("hits")} == {
        f"{name}.html.jinja" for name in ("hits", "hit", "style")
    }


def test_an_include_without_a_name_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(code, "TEMPLATES", tmp_path)
    (tmp_path / "page.html.jinja").write_text("{% include name %}")
    with pytest.raises(ValueError, match="Write it out"):
        template_files("page")
