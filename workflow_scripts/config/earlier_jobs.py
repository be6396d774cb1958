"""SLURM jobs that outlived the snakemake that submitted them.

`kill -9` of snakemake, or a reboot of the login node, leaves its jobs running. Snakemake would submit them again, and two
jobs would write the same files at the same time. A new start therefore waits until they have ended; Snakemake then treats
what they finished as done.
"""

import logging
import shutil
import subprocess
import time
from pathlib import Path

POLL_SECONDS = 10.0  # between two queries of the queue


def jobs_of_folder(folder: Path) -> list[str]:
    """Ids of this user's pending and running SLURM jobs that Snakemake submitted from `folder`; empty without SLURM."""
    if shutil.which("squeue") is None:
        return []
    # %i: id of the job or of an array task; %k: comment, in which Snakemake names the rule; %Z: working directory
    done = subprocess.run(["squeue", "--me", "--noheader", "--format=%i|%k|%Z"], capture_output=True, text=True)
    rows = [line.split("|", maxsplit=2) for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return [job for job, comment, working_dir in rows if comment.startswith("rule_") and Path(working_dir) == folder]


def wait_for_earlier_jobs() -> None:
    """Return when no job of an earlier start is pending or running in the current folder.

    It does not wait while Snakemake's lock exists: the jobs may belong to a start that is still alive, and Snakemake
    refuses to start anyway.
    """
    reported: list[str] = []
    while not _locked() and (jobs := jobs_of_folder(Path.cwd().resolve())):
        if jobs != reported:
            logging.getLogger("snakemake").warning(
                "Waiting for SLURM jobs of an earlier start in this folder: %s. What they finish is not repeated. "
                "To stop waiting: scancel %s",
                ", ".join(jobs),
                " ".join(jobs),
            )
            reported = jobs
        time.sleep(POLL_SECONDS)


def _locked() -> bool:
    return any(Path(".snakemake/locks").glob("*"))
