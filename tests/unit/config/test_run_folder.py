"""A results folder belongs to the configuration that created it; unrelated ones are recognised by content and rejected."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.config.files import merged_config, with_extended
from workflow_scripts.config.run_folder import claim_folder, error_lines, folder_mistake, run_folder

ROOT = Path.cwd()
SEEDS = {"sources": [{"id": "mine", "label": "Mine", "path": "rows.jsonl", "layout": "instruction", "license": "MIT"}]}
OTHER_SEEDS = {"sources": [SEEDS["sources"][0] | {"path": "other.jsonl"}]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with config.yaml; the working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "config.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def write(name, **content):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(yaml.safe_dump(content, sort_keys=False))
    return name


def start(*names, claim=True, **command_line):
    """Why a start with these overlays is rejected, or None; a start that is not rejected claims the folder."""
    overlays = [Path(name) for name in names]
    config = merged_config(overlays) | command_line
    files = ["config.yaml", *map(str, with_extended(overlays))]
    mistake = folder_mistake(config, files)
    if mistake is None and claim:
        claim_folder(config, files)
    return mistake


def rejected(mistake):
    assert mistake is not None
    assert "Set another `run:` name." in mistake and "delete" not in mistake.lower() and "remove" not in mistake.lower()
    return True


def test_the_same_files_again(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    assert start("mine.yaml") is None


def test_an_edited_file(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    write("mine.yaml", run="mine", seeds=OTHER_SEEDS, teacher={"model": "other"}, training={"epochs": 2})
    assert start("mine.yaml") is None


def test_an_added_and_a_dropped_overlay(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    write("lr.yaml", training={"learning_rate": 0.1}, seeds=OTHER_SEEDS)
    assert start("mine.yaml") is None
    assert start("mine.yaml", "lr.yaml") is None
    assert start("mine.yaml") is None


def test_a_renamed_file(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    Path("mine.yaml").rename("own.yaml")
    write("more.yaml", seeds=OTHER_SEEDS)
    assert start("own.yaml", "more.yaml") is None  # the same content
    assert start("own.yaml") is None


def test_a_file_that_is_renamed_and_edited(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    write("own.yaml", run="mine", seeds=SEEDS, training={"epochs": 2})
    assert start("own.yaml") is None  # the same inputs


def test_a_moved_file_and_a_moved_project(project, monkeypatch):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    (project / "configs").mkdir()
    Path("mine.yaml").rename("configs/mine.yaml")
    assert start("configs/mine.yaml") is None
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)
    assert start("configs/mine.yaml") is None
    assert start(str(moved / "configs" / "mine.yaml")) is None


def test_run_set_by_another_file_than_before(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    write("data.yaml", seeds=SEEDS)
    write("name.yaml", run="mine")
    assert start("data.yaml", "name.yaml") is None  # the same inputs


def test_extends_instead_of_both_files(project):
    write("base.yaml", run="base", seeds=SEEDS)
    write("mine.yaml", extends="base.yaml", run="mine")
    assert start("base.yaml", "mine.yaml") is None
    assert start("mine.yaml") is None


def test_the_pocket_run(project):
    write("lr.yaml", training={"learning_rate": 0.1})
    assert start() is None
    assert start("lr.yaml") is None
    assert start() is None
    write("unrelated.yaml", run="pocket", seeds=SEEDS)
    assert rejected(start("unrelated.yaml"))


@pytest.mark.parametrize(
    "changed",
    [
        {"seeds": OTHER_SEEDS},
        {"conversations": {"include": [{"path": "x.jsonl", "label": "X", "license": "MIT"}]}},
        {"teacher": {"model": "other"}},
        {"training": {"base": {"model": "./other"}}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_unrelated_configuration_with_the_same_run_name(project, changed):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start("mine.yaml") is None
    write("other.yaml", **{"run": "mine", "seeds": SEEDS} | changed)
    mistake = start("other.yaml")
    assert rejected(mistake)
    assert mistake.startswith(
        "run: results/mine contains the results of another configuration (config.yaml, mine.yaml), "
    )
    assert "not of config.yaml, other.yaml." in mistake
    assert start("mine.yaml") is None  # the rejected start left the record unchanged
    write("other.yaml", **{"run": "other", "seeds": SEEDS} | changed)
    assert start("other.yaml") is None


def test_a_run_name_from_the_command_line(project):
    write("mine.yaml", seeds=SEEDS)
    write("other.yaml", seeds=OTHER_SEEDS)
    assert start("mine.yaml", run="named") is None
    assert start("mine.yaml", run="named") is None
    assert rejected(start("other.yaml", run="named"))


def test_a_record_of_an_earlier_version(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    write("lr.yaml", training={"learning_rate": 0.1})
    Path("results/mine").mkdir(parents=True)
    Path("results/mine/configfiles").write_text("config.yaml\nmine.yaml\n")
    write("other.yaml", run="mine", seeds=SEEDS)
    mistake = start("other.yaml", claim=False)
    assert rejected(mistake) and "(config.yaml, mine.yaml)" in mistake
    assert start("mine.yaml", "lr.yaml", claim=False) is None
    assert start("mine.yaml") is None
    assert start("other.yaml") is None  # from now on the inputs are recorded, and they are the same


def test_runs_with_other_names_are_independent(project):
    write("mine.yaml", run="mine", seeds=SEEDS)
    assert start() is None
    assert start("mine.yaml") is None
    assert run_folder(merged_config([Path("mine.yaml")])) == Path("results/mine")


def test_a_check_alone_creates_no_folder(project):
    """A dry run must be able to check, too."""
    assert start(claim=False) is None
    assert sorted(path.name for path in project.iterdir()) == ["config.yaml"]


@pytest.mark.parametrize("results", ["file", "file/inside"])
def test_a_folder_that_cannot_be_created(config, tmp_path, results):
    (tmp_path / "file").touch()
    line = folder_mistake({**config, "results": str(tmp_path / results)}, ["config.yaml"])
    assert line.startswith(f"results: {tmp_path / 'file'} is a file, so {tmp_path / results}/pocket cannot be created.")
    assert line.endswith("Set another `results:` folder.")


def test_a_folder_that_is_not_mounted(config, tmp_path):
    (tmp_path / "link").symlink_to("/no/such/place")
    line = folder_mistake({**config, "results": str(tmp_path / "link")}, ["config.yaml"])
    assert (
        line
        == f"results: {tmp_path / 'link'} is a link to /no/such/place, which does not exist. Mount its file system."
    )


def test_a_folder_without_write_permission():
    """As an ordinary user, because root can write anywhere: in a child process, which drops its privileges."""
    receiver, sender = os.pipe()
    if (child := os.fork()) == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(sender, str(folder_mistake({"results": "/nowhere", "run": "mine"}, ["config.yaml"])).encode())
        finally:  # the child must never continue as a second pytest
            os._exit(0)
    os.close(sender)
    os.waitpid(child, 0)
    message = os.read(receiver, 10_000).decode()
    os.close(receiver)
    assert "/ is not writable" in message and "`results:`" in message


def test_error_lines_of_a_start(tmp_path):
    (tmp_path / "rule").mkdir()
    (tmp_path / "rule" / "a.log").write_text("reading\nerror: x.\nerror: x.\n")
    (tmp_path / "rule" / "old.log").write_text("error: y.\n")
    os.utime(tmp_path / "rule" / "old.log", (1, 1))
    assert error_lines(tmp_path, since=1_000.0) == ["error: x."]


def test_a_missing_file_is_an_error_before_the_folder_is_checked(project):
    with pytest.raises(UserError, match=r"no\.yaml: no such file"):
        start("no.yaml")
