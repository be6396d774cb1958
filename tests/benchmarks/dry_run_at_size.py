"""Measure CPU time and peak memory of the job graph of large runs, with `snakemake --dry-run`. No job is executed.

    python -m tests.benchmarks.dry_run_at_size
    python -m tests.benchmarks.dry_run_at_size --baseline ../earlier-checkout --graphs pocket million

The graphs are the pocket run, a preset with all its suites, the same with one evaluation job per task, and a million seeds
in 2,000 and in 100 shards. CPU times are medians of `--runs` dry runs. With --baseline, each graph is measured in both checkouts
alternately, with this Python's snakemake, and the ratio of the medians is printed.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
V1 = "presets/capybara-7b-v1.yaml"


class Graph(NamedTuple):
    """Configuration files of the project, and an overlay on them."""

    title: str
    files: tuple[str, ...] = (V1,)
    overlay: dict | None = None


class DryRun(NamedTuple):
    """Jobs, CPU seconds and peak memory in MiB of one dry run."""

    jobs: int
    seconds: float
    mib: float


GRAPHS = {
    "pocket": Graph("pocket run", files=()),
    "v1": Graph("V1, 20 tasks per evaluation job"),
    "tasks": Graph("V1, one evaluation job per task", overlay={"evaluation": {"tasks_per_job": 1}}),
    "million": Graph(
        "a million seeds in 2,000 shards", overlay={"seeds": {"limit": 1_000_000, "composition": None}}
    ),
    "batched": Graph(
        "a million seeds in 100 shards",
        overlay={"seeds": {"limit": 1_000_000, "composition": None}, "synthesis": {"shard_size": 10_000}},
    ),
}  # fmt: skip


def dry_run(checkout: Path, graph: Graph, folder: Path) -> DryRun:
    """Plan a graph in a checkout of the project; `folder` holds its configuration. SystemExit if snakemake fails."""
    # A process in between, because RUSAGE_CHILDREN accumulates over all children.
    program = (
        "import resource, subprocess, sys;"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(done.stdout + done.stderr, used.ru_utime + used.ru_stime, used.ru_maxrss, done.returncode, sep='\\n')"
    )
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"run": "at-size", "results": str(folder), **(graph.overlay or {})}))
    snakemake = str(Path(sys.executable).parent / "snakemake")
    words = ["--dry-run", "--quiet", "reason", "--cores", "1", "--configfile", *graph.files, str(overlay)]
    done = subprocess.run(
        [sys.executable, "-c", program, snakemake, *words], cwd=checkout, capture_output=True, text=True, check=True
    )
    *printed, seconds, kilobytes, status = done.stdout.splitlines()
    if status != "0":
        raise SystemExit("\n".join(printed[-20:]))
    jobs = int(re.search(r"^total +(\d+)", "\n".join(printed), re.MULTILINE)[1])
    return DryRun(jobs, float(seconds), int(kilobytes) / 1024)


def summarise(runs: list[DryRun]) -> DryRun:
    """Median CPU time and the largest peak memory of some runs of a graph."""
    return DryRun(runs[0].jobs, median(run.seconds for run in runs), max(run.mib for run in runs))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baseline", type=Path, help="folder of another checkout to compare with")
    parser.add_argument("--graphs", nargs="+", choices=GRAPHS, default=list(GRAPHS), help="graphs (default: all)")
    parser.add_argument("--runs", type=int, default=3, help="dry runs of each graph (default: 3)")
    args = parser.parse_args()
    checkouts = [ROOT, *([args.baseline] if args.baseline else [])]

    columns = ["graph", "jobs", "CPU time (s)", "peak memory (MiB)"]
    columns += ["baseline: jobs", "CPU time (s)", "peak memory (MiB)", "CPU time / baseline"] if args.baseline else []
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    for name in args.graphs:
        graph = GRAPHS[name]
        with tempfile.TemporaryDirectory() as folder:
            runs = [[dry_run(checkout, graph, Path(folder)) for checkout in checkouts] for _ in range(args.runs)]
        results = [summarise(list(of_checkout)) for of_checkout in zip(*runs, strict=True)]
        cells = [graph.title]
        for result in results:
            cells += [f"{result.jobs:,}", f"{result.seconds:.1f}", f"{result.mib:.0f}"]
        if args.baseline:
            cells.append(f"{results[0].seconds / results[1].seconds:.2f}")
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
