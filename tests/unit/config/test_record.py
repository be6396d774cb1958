"""The record of a start: differences from the defaults, commit, versions, machine."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from workflow_scripts.config import record


def test_differences_have_dotted_keys():
    defaults = {"a": {"b": 1, "c": [1, 2]}, "d": None, "gone": 3}
    values = {"a": {"b": 2, "c": [1, 2]}, "d": {"e": 1}, "new": False}
    assert record.differences(defaults, values) == {
        "a.b": [1, 2], "d": [None, {"e": 1}], "gone": [3, None], "new": [None, False],
    }  # fmt: skip
    assert record.differences(defaults, defaults) == {}


@pytest.fixture
def checkout(tmp_path):
    """A git checkout of a project, and a function that runs git in it."""
    folder = tmp_path / "project"
    folder.mkdir()

    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    (folder / "Snakefile").write_text("rule all:\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "First")
    return folder, git


def test_the_commit_and_the_files_changed_since(checkout):
    folder, _ = checkout
    found = record.commit(folder)
    assert len(found["commit"]) == 40 and found["changed"] == []
    (folder / "Snakefile").write_text("rule other:\n")
    assert record.commit(folder) == {"commit": found["commit"], "changed": ["Snakefile"]}


def test_a_copy_inside_another_checkout_has_no_commit_of_its_own(checkout):
    folder, _ = checkout
    inside = folder / "results" / "copy"
    inside.mkdir(parents=True)
    shutil.copy(folder / "Snakefile", inside)
    assert record.commit(inside) is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert record.commit(checkout[0]) is None


def test_packages_have_the_installed_and_the_pinned_version():
    found = record.packages(Path("envs"))
    for name in ("torch", "transformers", "lm-eval", "snakemake"):
        assert found[name]["installed"], name
    assert found["lm-eval"]["pinned"] == found["lm-eval"]["installed"]
    assert found["snakemake"]["pinned"] is None


def test_the_record_is_complete_and_contains_no_secret(config, tmp_path, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "canary-8f3a")
    config["teacher"]["api_key_env"] = "TEACHER_KEY"
    record.write(config, ["config.yaml", "mine.yaml"], tmp_path, Path("."))
    text = (tmp_path / record.NAME).read_text()
    written = json.loads(text)
    assert written["differs"] == {"teacher.api_key_env": [None, "TEACHER_KEY"]}
    assert written["machine"]["cores"] >= 1 and written["machine"]["memory_gib"] > 0 and written["machine"]["processor"]
    assert "canary" not in text
