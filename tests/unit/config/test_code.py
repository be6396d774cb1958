"""Which files a rule's code consists of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.config.code import source_files, use_this_python

ENTRY_POINTS = sorted(path.stem for path in Path("workflow_scripts").glob("*.py") if path.stem != "__init__")


def test_direct_and_indirect_imports_and_their_packages():
    files = source_files("deduplicate_seeds")
    assert {"workflow_scripts/deduplicate_seeds.py", "workflow_scripts/seeds/duplicates.py"} <= set(files)
    assert {"workflow_scripts/common/stage.py", "workflow_scripts/seeds/__init__.py"} <= set(files)
    assert "workflow_scripts/synthesis/client.py" not in files


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_an_entry_point_needs_no_other_file_of_the_project(entry_point, tmp_path):
    """What is really imported is what was found, and importing does nothing heavy."""
    code = (
        f"import sys, workflow_scripts.{entry_point}\n"
        "print(*(m.__file__ for n, m in sorted(sys.modules.items()) if n.startswith('workflow_scripts')))\n"
        "assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    imported = {os.path.relpath(name) for name in printed.split()}
    assert imported <= set(source_files(entry_point))


def test_every_rule_has_an_entry_point_of_its_name():
    rules = {
        line.split()[1].rstrip(":")
        for path in Path("rules").glob("*.smk")
        for line in path.read_text().splitlines()
        if line.startswith("rule ")
    }
    assert rules == set(ENTRY_POINTS)


def test_jobs_run_this_python(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    use_this_python()
    assert os.environ["PATH"].split(os.pathsep) == [os.path.dirname(sys.executable), "/usr/bin"]
