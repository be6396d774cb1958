"""Compare the time the workflow takes to score tasks with plain `lm_eval` on the same model, tasks and settings.

    python -m tests.benchmarks.evaluation_overhead --model results/pocket/training/base/final
    python -m tests.benchmarks.evaluation_overhead --model FOLDER --tasks arc_easy piqa --limit 20   # needs the Hub or a mirror

`lm_eval`        one command for each task
`lm_eval, once`  one command for all tasks
`ours`           snakemake with `tasks_per_job: 1`, from scratch: fetching, then one scoring job after another
`ours, grouped`  snakemake with all tasks in one job

Each uses one thread. All scores are compared as well: the ratio of two times is meaningless if the results differ. Seconds
depend on the machine; compare the ratios.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "config.yaml", "rules", "workflow_scripts", "envs", "presets", "profiles", "resources"]
PROGRAMS = Path(sys.executable).parent


def seconds(command: list[str], folder: Path, log: Path) -> float:
    """The wall time of a command; SystemExit with its log if it fails."""
    started = time.monotonic()
    with open(log, "w") as out:
        done = subprocess.run(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    if done.returncode:
        sys.exit(f"{command[0]} failed: {log.read_text()[-3000:]}")
    return time.monotonic() - started


def plain(project: Path, tasks: list[str], args: argparse.Namespace, out: Path) -> tuple[float, dict]:
    """(seconds, {task: values}) of one lm_eval command."""
    command = [
        str(PROGRAMS / "lm_eval"), "run", "--model", "hf", "--model_args", f"pretrained={args.model.resolve()},dtype=float32",
        "--tasks", *tasks, "--num_fewshot", "0", "--batch_size", "8", "--device", "cpu", "--output_path", str(out),
        *(["--limit", str(args.limit)] if args.limit else []),
        *(["--include_path", args.include_path] if args.include_path else []),
    ]  # fmt: skip
    took = seconds(command, project, out.with_suffix(".log"))
    return took, json.loads(next(out.rglob("results_*.json")).read_text())["results"]


def ours(project: Path, tasks: list[str], args: argparse.Namespace, per_job: int, name: str) -> tuple[float, dict]:
    """(seconds, {task: values}) of one snakemake command that starts with the model's folder."""
    overlay = {
        "run": name,
        "training": {"base": {"model": str(args.model.resolve()), "revision": None}},
        "evaluation": {
            "suites": [], "tasks": tasks, "num_fewshot": dict.fromkeys(tasks, 0), "tasks_per_job": per_job, "limit": args.limit,
            "include_path": args.include_path,
        },
    }  # fmt: skip
    (project / f"{name}.yaml").write_text(yaml.safe_dump(overlay))
    files = [f"results/{name}/evaluation/base/{task}.0shot.json" for task in tasks]
    command = [str(PROGRAMS / "snakemake"), "--cores", "1", "--configfile", f"{name}.yaml", "--", *files]
    took = seconds(command, project, project / f"{name}.log")
    return took, {
        task: json.loads((project / file).read_text())["results"][task] for task, file in zip(tasks, files, strict=True)
    }


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="folder of a model")
    parser.add_argument(
        "--tasks",
        nargs="+",
        default=["pocket_science", "pocket_commonsense", "pocket_reading"],
        help="lm-eval tasks (default: those of the pocket run)",
    )
    parser.add_argument(
        "--include-path", default="resources/pocket/benchmarks", help="folder of task files; empty for none"
    )
    parser.add_argument("--limit", type=int, help="number of documents of each task (default: all)")
    args = parser.parse_args()
    args.include_path = args.include_path or None

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part in PARTS:
            (shutil.copytree if (ROOT / part).is_dir() else shutil.copy2)(ROOT / part, project / part)
        each = [plain(project, [task], args, project / f"plain-{task}") for task in args.tasks]
        scores = {task: values for _, found in each for task, values in found.items()}
        runs = {"lm_eval": (sum(took for took, _ in each), scores)}
        runs["lm_eval, once"] = plain(project, args.tasks, args, project / "plain")
        runs["ours"] = ours(project, args.tasks, args, 1, "ours")
        runs["ours, grouped"] = ours(project, args.tasks, args, len(args.tasks), "grouped")
    for name, (took, found) in runs.items():
        same = found == scores
        print(
            f"{name:14} {took:7.1f} s  {took / runs['lm_eval'][0]:.2f} of lm_eval  "
            f"{took / runs['lm_eval, once'][0]:.2f} of lm_eval, once  scores {'identical' if same else 'DIFFER'}"
        )


if __name__ == "__main__":
    main()
