"""Whole runs of the workflow, each in its own copy of the project, started as a user would."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import without_network

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "config.yaml", "rules", "workflow_scripts", "envs", "presets", "profiles", "resources"]


class Project:
    """A copy of the project."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.printed: list[str] = []  # output of the runs
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)

    def command(self, *words: str) -> list[str]:
        """snakemake of this Python's environment."""
        return [str(Path(sys.executable).parent / "snakemake"), "--cores", "2", *words]

    def run(self, *words: str, check: bool = True, prefix: Sequence[str] = ()) -> str:
        """The output of snakemake; AssertionError with the output if it failed and `check` is true."""
        done = subprocess.run(
            [*prefix, *self.command(*words)], cwd=self.folder, capture_output=True, text=True, env=environment()
        )
        printed = done.stdout + done.stderr
        assert not check or done.returncode == 0, printed
        assert check or done.returncode != 0, printed
        return printed

    def planned(self, *words: str) -> dict[str, int]:
        """Number of jobs of a dry run, by rule."""
        printed = self.run("--dry-run", "--quiet", "reason", *words)
        table = re.search(r"^-+  -+\n(.*?)^total ", printed, re.DOTALL | re.MULTILINE)
        jobs = dict(line.split() for line in table[1].splitlines()) if table else {}
        return {rule: int(count) for rule, count in jobs.items()}


def environment() -> dict[str, str]:
    """This environment, with the Hugging Face libraries offline."""
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh copy."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """One pocket run for all tests that read it: downloads first, the rest without a network."""
    made = Project(tmp_path_factory.mktemp("pocket"))
    made.printed = [made.run("download"), made.run(prefix=without_network.prefix())]
    return made


@pytest.fixture
def small_disk(tmp_path, request):
    """A separate file system of 64 MiB, or of the size given by `indirect`."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = getattr(request, "param", "64m")
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {getattr(error, 'stderr', error)}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
