"""A retried job gets more of what it lacked: Snakemake runs and fails for real, `squeue` is a script that prints a table."""

import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.resources import Resource

from workflow_scripts.config.retries import FailedJobs, comment, grown

SNAKEFILE = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from workflow_scripts.config.retries import grow_resources

rule fails:
    output: "{{name}}.txt"
    resources: mem_mb=1000, runtime=lambda wildcards: 10
    shell: "exit 1"

rule defaults:
    output: "defaults"
    shell: "exit 1"

if workflow.is_main_process:
    grow_resources(workflow.rules, Path.cwd())
"""


@pytest.fixture
def requested(tmp_path, monkeypatch):
    """A function that runs a failing job three times; returns the memory and minutes of each attempt.

    `states`: how SLURM says the jobs ended, by attempt. A real scheduler command would submit; here a shell runs the job.
    """
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin")
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(root=str(Path.cwd())))

    def run(target, rule, states):
        requests = tmp_path / "requests"
        # One row for each attempt so far; SLURM forgets the first job before the third attempt.
        rows = [f"{number}|{state}|{rule}|{tmp_path}" for number, state in enumerate(states, 1)]
        lines = "; ".join(f"[ $n = {n} ] && echo '{row}'" for n, row in enumerate(rows, 1))
        (tools / "squeue").write_text(f"#!/bin/sh\nn=$(wc -l < {requests})\n{lines}\nexit 0\n")
        (tools / "squeue").chmod(0o755)
        submit = f"echo {{resources.mem_mb}} {{resources.runtime}} >> {requests}; sh"
        done = subprocess.run(
            [
                "snakemake", target, "--executor", "cluster-generic", "--cluster-generic-submit-cmd", f"sh -c '{submit} $0'",
                "--jobs", "1", "--retries", "2", "--latency-wait", "1", "--seconds-between-status-checks", "1",
                "--default-resources", "mem_mb=500", "runtime=5",
            ],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1 and requests.is_file(), done.stderr[-3000:]
        return [tuple(map(int, line.split())) for line in requests.read_text().splitlines()]

    return run


A = "rule_fails_wildcards_a"


def test_a_job_gets_more_of_what_it_lacked(requested):
    assert requested("a.txt", A, ["OUT_OF_MEMORY", "TIMEOUT"]) == [(1000, 10), (2000, 10), (2000, 20)]


def test_defaults_of_the_profile_grow_too_and_not_after_a_plain_failure(requested):
    assert requested("defaults", "rule_defaults", ["FAILED", "OUT_OF_MEMORY"]) == [(500, 5), (500, 5), (1000, 5)]


@pytest.mark.parametrize(
    ("rows", "attempt", "memory", "minutes"),
    [
        (["1|OUT_OF_MEMORY", "2|OUT_OF_MEMORY"], 3, 3000, 10),
        (["1|TIMEOUT", "2|TIMEOUT"], 3, 1000, 30),
        (["1|FAILED", "2|CANCELLED"], 3, 1000, 10),
        (["1|OUT_OF_MEMORY"], 1, 1000, 10),  # of an earlier start
        (["1|OUT_OF_MEMORY", "2|OUT_OF_MEMORY", "3|OUT_OF_MEMORY"], 2, 2000, 10),  # two of an earlier start
        ([], 3, 1000, 10),
    ],
)
def test_amounts(tmp_path, monkeypatch, rows, attempt, memory, minutes):
    (tmp_path / "squeue").write_text("#!/bin/sh\n" + "".join(f"echo '{row}|{A}|{tmp_path}'\n" for row in rows))
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    failed = FailedJobs(tmp_path)
    for name, amount, expected in (("mem_mb", 1000, memory), ("runtime", lambda wildcards: 10, minutes)):
        job = {"input": [], "attempt": attempt, "threads": 1, "rulename": "fails", "async_run": None}
        assert grown(Resource(name, amount), name, failed)(["a"], **job) == expected


def test_jobs_of_another_folder_or_rule_do_not_count_and_what_was_seen_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    failed = FailedJobs(tmp_path)
    assert failed.count(A, "mem_mb") == 0, "without SLURM"
    table = tmp_path / "squeue"
    table.write_text(
        f"#!/bin/sh\necho '1|TIMEOUT|{A}|/elsewhere'; echo '2|TIMEOUT|{A}b|{tmp_path}'; echo '3|TIMEOUT|{A}|{tmp_path}'\n"
    )
    table.chmod(0o755)
    assert failed.count(A, "runtime") == 1
    table.write_text("#!/bin/sh\n")
    assert failed.count(A, "runtime") == 1


@pytest.mark.parametrize(
    ("line", "lacked"),
    [
        ("slurmstepd-node1: error: StepId=1.0 exceeded memory limit (671158272 > 643825664), being killed", True),
        ("slurmstepd: error: Exceeded job memory limit", True),
        (
            "slurmstepd: error: Detected 1 oom_kill event in StepId=1.batch. Some of the step tasks have been OOM Killed.",
            True,
        ),
        ("srun: error: node1: task 0: Out Of Memory", True),
        ("srun: error: node1: task 0: Killed", False),
        ("error: out of memory in training. Reduce memory use with `training.max_length` below 4096.", False),
    ],
)
def test_a_failed_job_lacked_memory_if_slurm_says_so_in_its_log(tmp_path, monkeypatch, line, lacked):
    log = tmp_path / ".snakemake" / "slurm_logs" / "rule_fails" / "a" / "7.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"host: node1\n{line}\n")
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho '7|FAILED|{A}|{tmp_path}'\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    failed = FailedJobs(tmp_path)
    assert (failed.count(A, "mem_mb"), failed.count(A, "runtime")) == (int(lacked), 0)


def test_comments_are_those_of_the_slurm_plugin():
    from types import SimpleNamespace

    from snakemake_executor_plugin_slurm.utils import get_job_wildcards

    for wildcards in (["capybara", "a/b"], []):
        expected = get_job_wildcards(SimpleNamespace(wildcards=wildcards))
        assert comment("x", wildcards) == (f"rule_x_wildcards_{expected}" if expected else "rule_x")
