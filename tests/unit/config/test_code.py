"""The layout of the package, and the code that a rule depends on: derived from imports, compared with the source text."""

import ast
import functools
import graphlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import grimp
import pytest

from workflow_scripts.config import code
from workflow_scripts.config.code import source_files, use_this_python

PACKAGE = Path("workflow_scripts")
STAGES = [
    "seeds", "synthesis", "verification", "conversations", "decontamination", "dataset", "training", "evaluation", "report", "release",
]  # fmt: skip
SMK_FILES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path("rules").glob("*.smk"))}
HEAVY = {"torch", "transformers", "datasets", "trl", "lm_eval", "xllamacpp", "lingua"}


def rules():
    """{"stage.rule": text} of the rules that run a module, with the name of an f-string command replaced by its text."""
    found = {}
    for stage, text in SMK_FILES.items():
        commands = dict(re.findall(r'^([A-Z]+) = """(.*?)"""', text, re.DOTALL | re.MULTILINE))
        parts = re.split(r"^ *rule *(\w*):\n", text, flags=re.MULTILINE)[1:]
        for name, block in zip(parts[::2], parts[1::2], strict=True):
            for command, shell in commands.items():
                block = re.sub(rf"(shell:\s+){command}\b", lambda match, shell=shell: match[1] + shell, block)
            if "-m workflow_scripts" in block:
                found[
                    f"{stage}.{name or next(line for line in block.splitlines() if 'evaluate_tasks_' in line).strip()}"
                ] = block
    return found


RULES = rules()
# A batch of tasks is a rule without a name of its own: it runs the module of evaluate_task.
NAMED_RULES = {
    name: text for name, text in RULES.items() if name.isidentifier() or name.replace(".", "").isidentifier()
}
ENTRY_POINTS = sorted(NAMED_RULES)


@functools.cache
def imports():
    """The graph of imports of the package."""
    return grimp.build_graph("workflow_scripts", cache_dir=None)


def file_of(module):
    path = Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imported(path):
    """The project's modules that a file imports, at the top or inside a function."""
    modules = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names if alias.name.startswith("workflow_scripts"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("workflow_scripts"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules |= {node.module, *(name for name in names if file_of(name).exists())}
    return modules


@functools.cache
def named_files(path):
    """The package files that a module names, with the templates that these include."""
    files = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "package_file":
            named = PACKAGE / node.args[0].value
            files |= {inner for inner in named.rglob("*") if data_file(inner)} if named.is_dir() else {named}
    todo = list(files)
    while todo:
        path = todo.pop()
        if path.suffix == ".jinja" and "prompts" not in path.parts:
            text = path.read_text(encoding="utf-8")
            included = re.findall(r'{%-?\s*(?:include|from|import|extends)\s+"([^"]+)"', text)
            new = {path.parent / name for name in included} - files
            files |= new
            todo += new
    return files


def data_file(path):
    return path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts


@functools.cache
def reached(entry_point):
    """All files of the package that running an entry point uses, packages included."""
    todo, files = [f"workflow_scripts.{entry_point}"], set()
    while todo:
        module = todo.pop()
        if file_of(module) not in files:
            files.add(file_of(module))
            todo += [*imported(file_of(module)), *([module.rpartition(".")[0]] if "." in module else [])]
    return files.union(*map(named_files, files))


def test_the_stages_are_the_rule_files_in_the_order_of_the_snakefile():
    assert {*STAGES, "common"} == set(SMK_FILES)
    included = re.findall(r'include: "rules/(\w+)\.smk"', Path("Snakefile").read_text(encoding="utf-8"))
    assert included == ["common", *STAGES]
    assert all((PACKAGE / stage / "__init__.py").is_file() for stage in STAGES)


def test_no_module_is_at_the_top_of_the_package():
    assert [path.name for path in PACKAGE.glob("*.py")] == ["__init__.py"]
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert packages == {*STAGES, "teacher", "cli", "config", "common"}


def test_each_rule_runs_the_module_of_its_name_and_depends_on_its_code():
    """Rule clean_source of rules/seeds.smk runs workflow_scripts/seeds/clean_source.py."""
    assert len(ENTRY_POINTS) > 40
    for name, text in RULES.items():
        module = name if name in NAMED_RULES else "evaluation.evaluate_task"
        assert f'code=code_hash("{module}")' in text, name
        # These start the rule's own entry point and do not affect results, so no rule depends on them.
        started = {*re.findall(r"-m workflow_scripts\.([\w.]+)", text)} - {"common.on_gpus", "common.on_nodes"}
        assert started == {module}
        assert file_of(f"workflow_scripts.{module}").is_file()


def test_every_module_that_can_be_run_is_a_rule_or_a_command():
    runnable = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and path.parent.name != "server"
    }
    assert runnable == {
        *ENTRY_POINTS,
        "cli.main",
        "common.on_gpus",
        "common.on_nodes",
        "common.reasons",
        "config.documentation",
        "teacher.watchdog",
    }


def test_no_stage_imports_an_entry_point_of_another():
    for entry_point in ENTRY_POINTS:
        stage = entry_point.partition(".")[0]
        importers = imports().find_modules_that_directly_import(f"workflow_scripts.{entry_point}")
        assert {name.split(".")[1] for name in importers} <= {stage}, entry_point


def test_modules_do_not_import_each_other_in_a_circle():
    """Imports for type checkers alone are not executed."""
    graph = grimp.build_graph("workflow_scripts", cache_dir=None, exclude_type_checking_imports=True)
    modules = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    graphlib.TopologicalSorter(modules).prepare()  # CycleError names the circle


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("common", {*STAGES, "teacher", "config", "cli"}),
        ("teacher", {*STAGES, "cli"}),
        ("config", {"cli"}),
        *((stage, {"cli"}) for stage in STAGES),
    ],
)
def test_imports_go_one_way(package, forbidden):
    """Stage → teacher → common."""
    for module in imports().find_descendants(f"workflow_scripts.{package}"):
        used = {name.split(".")[1] for name in imports().find_modules_directly_imported_by(module) if "." in name}
        assert not used & forbidden, module


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_every_file_that_an_entry_point_uses_is_found(entry_point):
    assert {path.relative_to(Path.cwd()) for path in source_files(entry_point)} == reached(entry_point)


def test_code_that_a_stage_does_not_use_is_not_found():
    files = {path.relative_to(Path.cwd()).as_posix() for path in source_files("seeds.clean_source")}
    assert (
        "workflow_scripts/seeds/cleaning/rules.py" in files and "workflow_scripts/seeds/cleaning/phrases.yaml" in files
    )
    assert not [name for name in files if "synthesis" in name or "training" in name]


def test_every_package_file_is_named_by_a_module():
    named = set().union(*map(named_files, PACKAGE.rglob("*.py")))
    assert {path for path in PACKAGE.rglob("*") if data_file(path)} == named


def test_importing_an_entry_point_loads_nothing_heavy():
    """And no other file than was found; heavy libraries are imported by the function that needs them."""
    script = textwrap.dedent("""
        import importlib, sys
        for name in sys.argv[1:]:
            importlib.import_module(f"workflow_scripts.{name}")
            print(name, *(m.__file__ for n, m in sorted(sys.modules.items()) if n.startswith("workflow_scripts")))
            for loaded in [n for n in sys.modules if n.startswith("workflow_scripts")]:
                del sys.modules[loaded]
        print(*sorted(sys.modules))
    """)
    command = [sys.executable, "-c", script, *ENTRY_POINTS]
    *lines, loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not HEAVY & set(loaded.split())
    assert len(lines) == len(ENTRY_POINTS)
    for name, *files in map(str.split, lines):
        assert set(map(Path, files)) <= set(source_files(name)), name


EDITS = {  # file: some of the rules that use it
    "seeds/texts.py": {"seeds.deduplicate_seeds"},
    "seeds/__init__.py": {"seeds.clean_source"},
    "seeds/registry.yaml": set(),
    "seeds/cleaning/phrases.yaml": {"seeds.clean_source"},
    "synthesis/prompts/expert.jinja": {"synthesis.synthesize_shard"},
    "training/templates/user_assistant.jinja": {"training.audit_loss_mask", "training.train_model"},
    "report/templates/hit.html.jinja": {"report.render_hits", "report.render_report"},  # included by their templates
    "release/templates/parts.md.jinja": {"release.write_model_card", "release.write_data_card"},
    "teacher/cache.py": {"synthesis.synthesize_shard", "evaluation.judge_answers"},
}


def test_an_edited_file_changes_the_hashes_of_its_users_only(tmp_path):
    """A touched file changes none. In a copy, by a process that imports the copy."""
    shutil.copytree(PACKAGE, tmp_path / "workflow_scripts", ignore=shutil.ignore_patterns("__pycache__"))
    script = textwrap.dedent("""
        import json, os, pathlib, sys
        from workflow_scripts.config import code

        def hashes():
            code._graph.cache_clear()
            code._package_files.cache_clear()
            return {name: code.code_hash(name) for name in names}

        edits, names = json.loads(sys.argv[1])
        before = hashes()
        for path in pathlib.Path("workflow_scripts").rglob("*"):
            os.utime(path, (1, 1))
        changed = {"touched": [name for name, value in hashes().items() if value != before[name]]}
        for name in edits:
            path = pathlib.Path("workflow_scripts", name)
            original = path.read_bytes()
            path.write_bytes(original + b"\\n")
            changed[name] = [name for name, value in hashes().items() if value != before[name]]
            path.write_bytes(original)
        assert hashes() == before
        print(json.dumps(changed))
    """)
    command = [sys.executable, "-c", script, json.dumps([list(EDITS), ENTRY_POINTS])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    changed = json.loads(done.stdout)
    assert changed.pop("touched") == []
    for name, users in EDITS.items():
        assert set(changed[name]) == {point for point in ENTRY_POINTS if PACKAGE / name in reached(point)}, name
        assert users <= set(changed[name]) < set(ENTRY_POINTS), name


def test_a_package_file_without_a_literal_name_is_an_error(tmp_path):
    (tmp_path / "module.py").write_text("package_file(name)")
    with pytest.raises(ValueError, match="needs one literal name"):
        code._package_files(tmp_path / "module.py")


def test_an_include_without_a_literal_name_is_an_error(tmp_path):
    (tmp_path / "page.html.jinja").write_text("{% include name %}")
    with pytest.raises(ValueError, match="an include needs a literal name"):
        list(code._with_included(tmp_path / "page.html.jinja"))


def test_jobs_run_this_python(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    for _ in range(2):
        use_this_python()
        assert os.environ["PATH"].split(os.pathsep) == [os.path.dirname(sys.executable), "/usr/bin"]
