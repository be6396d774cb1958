"""How long and how much memory the graph of a large run takes, beside the pocket run's, in one run.

    python -m tests.benchmarks.dry_run_at_size

Nothing is executed: `snakemake --dry-run` of a preset with all its suites, the same with a job for each task, and of a
million seeds in 2,000 shards. Times are of the processor, medians of three.
"""

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

V1 = "presets/capybara-7b-v1.yaml"
CASES: dict[str, tuple[list[str], dict]] = {
    "pocket run": ([], {}),
    "V1, nine tasks a job": ([V1], {}),
    "V1, a job for each task": ([V1], {"evaluation": {"tasks_per_job": 1}}),
    "V1 with 1,000,000 seeds, 2,000 shards": ([V1], {"seeds": {"limit": 1_000_000, "composition": None}}),
}
RUNS = 3


def measured(words: list[str]) -> tuple[int, float, float]:
    """Jobs, processor seconds and peak memory in MiB of one dry run."""
    program = (
        "import resource, subprocess, sys;"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(done.stdout + done.stderr, used.ru_utime + used.ru_stime, used.ru_maxrss, done.returncode, sep='\\n')"
    )
    snakemake = str(Path(sys.executable).parent / "snakemake")
    done = subprocess.run(
        [sys.executable, "-c", program, snakemake, *words], capture_output=True, text=True, check=True
    )
    *printed, seconds, kilobytes, status = done.stdout.splitlines()
    if status != "0":
        raise SystemExit("\n".join(printed[-20:]))
    jobs = int(re.search(r"^total +(\d+)", "\n".join(printed), re.MULTILINE)[1])
    return jobs, float(seconds), int(kilobytes) / 1024


def main() -> None:
    """Print a table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (files, own) in CASES.items():
            mine = Path(folder) / "mine.yaml"
            mine.write_text(yaml.safe_dump({"run": "at-size", "results": folder, **own}))
            words = ["--dry-run", "--quiet", "reason", "--cores", "1", "--configfile", *files, str(mine)]
            runs = [measured(words) for _ in range(RUNS)]
            rows.append((name, runs[0][0], statistics.median(run[1] for run in runs), max(run[2] for run in runs)))
    print("| graph | jobs | seconds | times the pocket run's | peak MiB |\n|---|---|---|---|---|")
    for name, jobs, seconds, memory in rows:
        print(f"| {name} | {jobs:,} | {seconds:.1f} | {seconds / rows[0][2]:.1f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
