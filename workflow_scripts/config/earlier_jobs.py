"""SLURM jobs that outlived the snakemake which submitted them.

`kill -9` of snakemake, or a reboot of the login node, leaves its jobs at work. Snakemake would submit them once more, to
write the same files at the same time. So a new start waits until they have ended; what they finished is taken as done.
"""

import logging
import shutil
import subprocess
import time
from pathlib import Path

PATIENCE = 10.0  # seconds between two looks into the queue


def jobs_of_folder(folder: Path) -> list[str]:
    """Ids of this user's SLURM jobs that Snakemake submitted from `folder` and that wait or run; none without SLURM."""
    if shutil.which("squeue") is None:
        return []
    # %i: id of the job, or of an array's task; %k: comment, where Snakemake names the rule; %Z: folder
    done = subprocess.run(["squeue", "--me", "--noheader", "--format=%i|%k|%Z"], capture_output=True, text=True)
    rows = [line.split("|", maxsplit=2) for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return [job for job, comment, begun_in in rows if comment.startswith("rule_") and Path(begun_in) == folder]


def wait_for_earlier_jobs() -> None:
    """Return when no job of an earlier start is at work in the current folder.

    While Snakemake's lock lies there nothing is waited for: the jobs may be those of a start that is alive, and Snakemake
    refuses to begin anyway.
    """
    told: list[str] = []
    while not _locked() and (jobs := jobs_of_folder(Path.cwd().resolve())):
        if jobs != told:
            logging.getLogger("snakemake").warning(
                "Waiting for %d SLURM jobs of an earlier start in this folder: %s. What they finish is not done again. "
                "To end the wait: scancel %s",
                len(jobs),
                ", ".join(jobs),
                " ".join(jobs),
            )
            told = jobs
        time.sleep(PATIENCE)


def _locked() -> bool:
    return any(Path(".snakemake/locks").glob("*"))
