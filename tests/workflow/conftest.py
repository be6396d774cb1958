"""Whole runs of the workflow, each in a copy of the project of its own, as a user would start them."""

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
    """A copy of the project in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.printed: list[str] = []  # what the runs that made it printed
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)

    def command(self, *words: str) -> list[str]:
        """snakemake as installed beside this Python."""
        return [str(Path(sys.executable).parent / "snakemake"), "--cores", "2", *words]

    def run(self, *words: str, check: bool = True, prefix: Sequence[str] = ()) -> str:
        """What snakemake printed; AssertionError with all of it if it failed and `check` is true."""
        done = subprocess.run(
            [*prefix, *self.command(*words)], cwd=self.folder, capture_output=True, text=True, env=environment()
        )
        printed = done.stdout + done.stderr
        assert not check or done.returncode == 0, printed
        assert check or done.returncode != 0, printed
        return printed

    def planned(self, *words: str) -> dict[str, int]:
        """Jobs that a dry run would do, by rule."""
        printed = self.run("--dry-run", "--quiet", "reason", *words)
        table = re.search(r"^-+  -+\n(.*?)^total ", printed, re.DOTALL | re.MULTILINE)
        jobs = dict(line.split() for line in table[1].splitlines()) if table else {}
        return {rule: int(count) for rule, count in jobs.items()}


def environment() -> dict[str, str]:
    """This environment, without a network for the Hugging Face libraries."""
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def project(tmp_path) -> Project:
    """A fresh copy."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """One pocket run, done once for all tests that look at it: all that is downloaded first, the rest without a network."""
    made = Project(tmp_path_factory.mktemp("pocket"))
    made.printed = [made.run("download"), made.run(prefix=without_network.prefix())]
    return made


@pytest.fixture
def small_disk(tmp_path, request):
    """A file system of its own: 64 MiB, or what `indirect` says."""
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
