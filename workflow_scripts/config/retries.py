"""Memory and run time of a retried job: more memory only after it ran out of memory, more time only after a timeout.

Snakemake tells a resource only the number of the attempt. SLURM knows how the job of each attempt ended. Without SLURM the
reason is unknown, and nothing grows.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Resource by the state of a SLURM job that lacked it.
LACKING = {"OUT_OF_MEMORY": "mem_mb", "TIMEOUT": "runtime"}


def comment(rule: str, wildcards: Sequence[str]) -> str:
    """The comment with which Snakemake's SLURM plugin marks the jobs of a rule and its wildcards."""
    values = "_".join(wildcards).replace("/", "_")
    return f"rule_{rule}_wildcards_{values}" if values else f"rule_{rule}"


class FailedJobs:
    """SLURM jobs of one folder that lacked a resource. SLURM forgets jobs after minutes; what was seen is kept."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.lacked: dict[str, tuple[str, str]] = {}  # by id of the job: its comment and the resource

    def count(self, job: str, resource: str) -> int:
        """How many attempts of the job with this comment lacked the resource."""
        self._query()
        return list(self.lacked.values()).count((job, resource))

    def _query(self) -> None:
        if shutil.which("squeue") is None:
            return
        # %i: id; %T: state; %k: comment; %Z: working directory
        command = ["squeue", "--me", "--noheader", f"--states={','.join(LACKING)}", "--format=%i|%T|%k|%Z"]
        done = subprocess.run(command, capture_output=True, text=True)
        rows = [line.split("|", maxsplit=3) for line in done.stdout.splitlines()] if done.returncode == 0 else []
        for job, state, text, folder in rows:
            if state in LACKING and Path(folder) == self.folder:
                self.lacked[job] = (text, LACKING[state])


def grown(amount: Any, resource: str, failed: FailedJobs) -> Callable[..., Any]:
    """A resource function: `amount`, plus itself for every earlier attempt of the job that lacked the resource.

    `amount` is a resource of Snakemake, which may depend on the job.
    """

    def evaluate(
        wildcards: Any, input: Any, attempt: int, threads: int, rulename: str, async_run: Callable[..., Any]
    ) -> Any:
        value = amount.evaluate(
            wildcards, input=input, attempt=attempt, threads=threads, rulename=rulename, async_run=async_run
        ).value
        if attempt == 1 or not isinstance(value, int):
            return value
        # Not more than this start's own attempts: an earlier start may have failed minutes ago.
        return value * (1 + min(attempt - 1, failed.count(comment(rulename, wildcards), resource)))

    return evaluate


def grow_resources(rules: Any, folder: Path) -> None:
    """Let memory and run time of all `rules` grow with the failures of their SLURM jobs, submitted from `folder`."""
    failed = FailedJobs(folder)
    for rule in rules:
        for resource in LACKING.values():
            if resource in rule.resources:
                rule.resources[resource] = grown(rule.resources[resource], resource, failed)
