"""A new start waits for SLURM jobs of an earlier one; `squeue` is a script that prints a table."""

import logging

import pytest

from workflow_scripts.config import earlier_jobs


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """A function that sets the rows that `squeue` prints: id|comment|working directory."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(earlier_jobs, "POLL_SECONDS", 0.0)

    def write(*rows):
        (folder / "rows").write_text("".join(f"{row}\n" for row in rows))
        (folder / "squeue").write_text(f"#!/bin/sh\ncat {folder}/rows\n")
        (folder / "squeue").chmod(0o755)

    return write


def test_jobs_of_this_folder_and_of_snakemake(squeue, tmp_path):
    project = tmp_path / "project"
    squeue(
        f"7|rule_train_model_wildcards_x|{project}",
        f"8|(null)|{project}",
        "9|rule_train_model|/elsewhere",
        f"10_2|rule_a|{project}",
    )
    assert earlier_jobs.jobs_of_folder(project) == ["7", "10_2"]


def test_without_slurm_there_are_no_jobs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert earlier_jobs.jobs_of_folder(tmp_path) == []
    earlier_jobs.wait_for_earlier_jobs()


def test_the_start_waits_and_reports_the_jobs(squeue, tmp_path, monkeypatch, caplog):
    rounds = []

    def sleep(seconds):
        rounds.append(seconds)
        if len(rounds) == 3:
            squeue()

    monkeypatch.setattr(earlier_jobs.time, "sleep", sleep)
    squeue(f"7|rule_a|{tmp_path / 'project'}", f"8|rule_b|{tmp_path / 'project'}")
    logger = logging.getLogger("snakemake")
    monkeypatch.setattr(logger, "propagate", True)
    with caplog.at_level("WARNING", logger="snakemake"):
        earlier_jobs.wait_for_earlier_jobs()
    assert len(rounds) == 3
    (record,) = caplog.records  # not repeated while the jobs are the same
    assert "SLURM jobs of an earlier start in this folder: 7, 8." in record.getMessage()
    assert "scancel 7 8" in record.getMessage()


def test_a_locked_folder_does_not_wait(squeue, tmp_path):
    squeue(f"7|rule_a|{tmp_path / 'project'}")
    (tmp_path / "project" / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / "project" / ".snakemake" / "locks" / "0.input.lock").touch()
    earlier_jobs.wait_for_earlier_jobs()
