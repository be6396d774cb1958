"""Memory and run time of a retried job: more memory only after it ran out of memory, more time only after a timeout.

Snakemake tells a resource only the number of the attempt. SLURM knows how the job of each attempt ended. Without SLURM the
reason is unknown, and nothing grows.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Resource by the state of a SLURM job that lacked it.
LACKING = {"OUT_OF_MEMORY": "mem_mb", "TIMEOUT": "runtime"}
# A job whose step was killed for its memory often ends as FAILED, and only SLURM's lines in its log say why. Not matched
# are lines of the program itself, such as that a GPU is out of memory.
OUT_OF_MEMORY = re.compile(
    r"^(slurmstepd|srun)\S*: error: .*(oom.?kill|out of memory|exceeded .*memory limit)", re.I | re.M
)
LOGS = Path(".snakemake", "slurm_logs")  # of Snakemake's SLURM plugin, which keeps those of failed jobs


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
        states = ",".join([*LACKING, "FAILED", "CANCELLED"])
        command = ["squeue", "--me", "--noheader", f"--states={states}", "--format=%i|%T|%k|%Z"]
        done = subprocess.run(command, capture_output=True, text=True)
        rows = [line.split("|", maxsplit=3) for line in done.stdout.splitlines()] if done.returncode == 0 else []
        for job, state, text, folder in rows:
            if Path(folder) == self.folder and (resource := LACKING.get(state) or self._killed_for_memory(job)):
                self.lacked[job] = (text, resource)

    def _killed_for_memory(self, job: str) -> str | None:
        logs = (self.folder / LOGS).rglob(f"{job}.log")
        return "mem_mb" if any(OUT_OF_MEMORY.search(path.read_text("utf-8", "replace")) for path in logs) else None


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
