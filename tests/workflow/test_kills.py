"""Runs that are killed, run out of disk or find damaged files: one line per error, and the next run ends with the same bytes."""

import json
import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.runs import Project, environment, kill
from tests.support.scripted_teacher import served
from tests.support.tiny_run import RESULTS, configure_all

pytestmark = pytest.mark.slow

KILLS = 20
# Files with the same bytes however the run got to its end; logs, times and cache counts differ.
SAME = [
    "seeds/data.jsonl", "seeds/rejected.jsonl", "seeds/stats.json", "synthesis/data.jsonl", "synthesis/rejected.jsonl",
    "decontamination/data.jsonl", "decontamination/rejected.jsonl", "decontamination/hits.jsonl", "decontamination/stats.json",
    "dataset/train.jsonl", "dataset/test.jsonl", "dataset/train.parquet", "dataset/test.parquet", "dataset/stats.json",
    "training/capybara/train_tokens.parquet", "training/capybara/audit.json", "training/capybara/final/model.safetensors",
    "evaluation/base/pocket_science.parquet", "evaluation/capybara/pocket_science.parquet", "evaluation/scores.csv",
]  # fmt: skip


def contents(project: Project) -> dict[str, bytes]:
    return {name: (project.folder / RESULTS / name).read_bytes() for name in SAME}


class Undisturbed:
    """A whole run whose server still runs, so that it can be repeated elsewhere."""

    def __init__(self, folder: Path, base_url: str):
        self.base_url = base_url
        self.project = Project(folder)
        self.words = configure_all(self.project, base_url)
        printed = self.project.run(*self.words)
        self.rules = list(dict.fromkeys(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", printed)))
        self.contents = contents(self.project)

    def copy(self, folder: Path, *, without: str | None = None) -> Project:
        """A copy of the project with its results, except the folder `without`."""
        project = Project(folder)
        for part in ("results", ".snakemake", "base", "mine.yaml", "made.jsonl", "found.jsonl"):
            source = self.project.folder / part
            # Modification times decide what is up to date.
            (shutil.copytree if source.is_dir() else shutil.copy2)(
                source, folder / part, **({"dirs_exist_ok": True} if source.is_dir() else {})
            )
        if without:
            shutil.rmtree(folder / RESULTS / without)
        return project


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with served(tmp_path_factory.mktemp("server"), "--delay", "0.02") as server:
        yield Undisturbed(tmp_path_factory.mktemp("undisturbed"), server.base_url)


def test_killed_twenty_times_in_twenty_rules(project, undisturbed):
    """`kill -9` of everything at a random moment of a rule, in the order of the chain."""
    rng = random.Random(8)
    words = configure_all(project, undisturbed.base_url)
    steps = [rule for rule in undisturbed.rules if rule != "all"]
    rules = [steps[place] for place in sorted(rng.sample(range(len(steps)), KILLS))]
    killed = []
    for rule in rules:
        shutil.rmtree(
            project.folder / ".snakemake" / "locks", ignore_errors=True
        )  # as --unlock does, without starting snakemake
        log = project.folder / "printed"
        with log.open("wb") as printed:
            leader = subprocess.Popen(
                project.command("--quiet", "host", "--forcerun", rule, *words), cwd=project.folder, start_new_session=True,
                env=environment(), stdout=printed, stderr=subprocess.STDOUT,
            )  # fmt: skip
        while leader.poll() is None and not re.search(
            rf"^(local)?rule {rule}:", log.read_text(errors="replace"), re.MULTILINE
        ):
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1.5))
        if leader.poll() is None:
            killed.append(rule)
        kill(project, leader)
    print(f"killed in {', '.join(killed)}")
    assert len(killed) >= KILLS - 2  # one of the last may have ended together with the run
    project.run("--unlock", *words)
    project.run(*words)
    assert contents(project) == undisturbed.contents
    assert "Nothing to be done" in project.run(*words)


STAGES = [
    ("seeds", "seeds/data.jsonl"), ("synthesis", "synthesis/data.jsonl"), ("decontamination", "decontamination/data.jsonl"),
    ("dataset", "dataset/train.parquet"), ("training", "training/capybara/final"), ("evaluation", "evaluation/scores.csv"),
    ("report", "report/index.html"),
]  # fmt: skip


def forbid_writing(folder: Path) -> None:
    """Remount read-only: root cannot write either."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all but a few KiB of the space."""
    path = folder / "filler"
    space = os.statvfs(folder)
    with path.open("wb") as file:
        file.write(bytes(max(0, space.f_bavail * space.f_frsize - 8192)))
    return path


def test_a_full_disk_at_every_stage(tmp_path, small_disk, undisturbed):
    project = undisturbed.copy(tmp_path)
    shutil.rmtree(project.folder / "results")
    shutil.rmtree(project.folder / ".snakemake")
    project.folder.joinpath("results").symlink_to(small_disk)
    for stage, target in STAGES:
        filler = fill(small_disk)
        printed = project.run(str(RESULTS / target), *undisturbed.words, check=False)
        assert re.search(r"(disk is full|No space left on device)", printed), (stage, printed[-3000:])
        assert "Traceback" not in printed, (stage, printed[-6000:])
        filler.unlink()
        project.run(str(RESULTS / target), *undisturbed.words)
    project.run(*undisturbed.words)
    assert contents(project) == undisturbed.contents


# Damaged file: an output that is deleted so that the file is read again. Both in one run where they are independent.
@pytest.mark.parametrize(
    "damage",
    [
        {
            "training/base/final/model.safetensors": "evaluation/base/pocket_science.json",
            "synthesis/shards/0000.jsonl": "synthesis/data.jsonl",
        },
        {"training/capybara/train_tokens.parquet": "training/capybara/metrics.jsonl"},
    ],
    ids=["safetensors and JSON lines", "parquet"],
)
def test_truncated_files_in_the_middle_of_the_tree(tmp_path, undisturbed, damage):
    """The rule that reads a damaged file names it; once deleted, it is written again with the same bytes."""
    project = undisturbed.copy(tmp_path)
    paths = [project.folder / RESULTS / name for name in damage]
    for path, after in zip(paths, damage.values(), strict=True):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        (project.folder / RESULTS / after).unlink()
    printed = project.run(*undisturbed.words, check=False)
    errors = {line for line in printed.splitlines() if line.startswith("error: ")}
    assert all("run again" in line for line in errors), printed[-4000:]
    assert [sum(path.name in line for line in errors) for path in paths] == [1] * len(errors), printed[-4000:]
    assert "Traceback" not in printed
    for path in paths:
        shutil.rmtree(path.parent) if path.name == "model.safetensors" else path.unlink()
    project.run(*undisturbed.words)
    assert contents(project) == undisturbed.contents


def test_a_second_snakemake_in_the_same_folder_is_refused(tmp_path, undisturbed):
    project = undisturbed.copy(tmp_path, without="report")
    first = subprocess.Popen(
        project.command(*undisturbed.words), cwd=project.folder, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not list((project.folder / ".snakemake" / "locks").glob("*")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        printed = project.run(*undisturbed.words, check=False)
        assert "Directory cannot be locked" in printed and "Traceback" not in printed
        assert first.wait(600) == 0
    finally:
        if first.poll() is None:
            kill(project, first)
    assert contents(project) == undisturbed.contents


@pytest.mark.parametrize("days", [-400, 2], ids=["back", "forth"])
def test_a_clock_that_jumped(tmp_path, undisturbed, days):
    """Other modification times, same contents: nothing reruns."""
    project = undisturbed.copy(tmp_path)
    then = time.time() + days * 86400
    for name in (
        "results/mine/seeds/data.jsonl",
        "results/mine/dataset/train.jsonl",
        "workflow_scripts/training/train_model.py",
        "config.yaml",
    ):
        os.utime(project.folder / name, (then, then))
    assert project.planned(*undisturbed.words) == {}


def test_results_on_a_missing_file_system(tmp_path, undisturbed):
    project = undisturbed.copy(tmp_path)
    shutil.rmtree(project.folder / "results")
    project.folder.joinpath("results").symlink_to("/no/such/file/system")
    printed = project.run(*undisturbed.words, check=False)
    assert "Traceback" not in printed
    assert [line for line in printed.splitlines() if "results" in line and "file system" in line], printed[-3000:]


def test_an_input_that_cannot_be_read(tmp_path, undisturbed):
    """A seed file whose disk is missing: the run ends before any job and names the file."""
    project = undisturbed.copy(tmp_path)
    (project.folder / "made.jsonl").unlink()
    (project.folder / "made.jsonl").symlink_to("/no/such/file/system/made.jsonl")
    printed = project.run(*undisturbed.words, check=False)
    assert "no such file: made.jsonl" in printed and "Traceback" not in printed
    assert json.loads((project.folder / RESULTS / "seeds" / "stats.json").read_text())["out"] == 20


def test_inputs_on_a_read_only_disk(tmp_path, small_disk, undisturbed):
    """Seeds and base model are only read; no file is written next to them."""
    project = undisturbed.copy(tmp_path, without="seeds")
    shutil.rmtree(project.folder / RESULTS / "training" / "base")
    for name in ("made.jsonl", "found.jsonl", "base"):
        shutil.move(project.folder / name, small_disk / name)
        (project.folder / name).symlink_to(small_disk / name)
    forbid_writing(small_disk)
    project.run(
        *undisturbed.words, "--", str(RESULTS / "seeds" / "data.jsonl"), str(RESULTS / "training" / "base" / "final")
    )
    assert (project.folder / RESULTS / "seeds" / "data.jsonl").read_bytes() == undisturbed.contents["seeds/data.jsonl"]


def test_results_on_a_read_only_disk(tmp_path, small_disk, undisturbed):
    project = undisturbed.copy(tmp_path)
    shutil.move(project.folder / RESULTS, small_disk / "mine")
    (project.folder / RESULTS).symlink_to(small_disk / "mine")
    (small_disk / "mine" / "seeds" / "data.jsonl").unlink()
    forbid_writing(small_disk)
    printed = project.run(*undisturbed.words, check=False)
    assert "Traceback" not in printed
    assert "results: results/mine is not writable" in printed
