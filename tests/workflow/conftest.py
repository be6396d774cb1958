"""Whole runs of the workflow, each in its own copy of the project, started as a user would."""

import subprocess

import pytest

from tests.support import without_network
from tests.support.runs import Project


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
        pytest.skip(f"no file system can be mounted here, run as root: {getattr(error, 'stderr', error)}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
