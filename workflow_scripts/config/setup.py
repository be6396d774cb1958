"""What a start of Snakemake does with the configuration before any rule is read."""

import os
import sys
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config
from workflow_scripts.config import check, gpus, record, run_folder
from workflow_scripts.config.code import use_this_python
from workflow_scripts.config.earlier_jobs import wait_for_earlier_jobs
from workflow_scripts.config.files import DEFAULT, merged_config, with_extended
from workflow_scripts.config.locations import with_locations
from workflow_scripts.config.retries import grow_resources
from workflow_scripts.config.start_checks import start_mistakes

# How long the OpenMP threads of the embedded teacher, training and evaluation spin before they sleep while they wait for
# each other. GNU's default of 300,000 rounds, some milliseconds, takes busy cores from the thread that all wait for.
# tests/benchmarks/busy_machine.py compares the values.
SPIN = {"GOMP_SPINCOUNT": "4000"}


def prepare(workflow: Any, config: Config) -> list[str]:
    """Fill `config` (in place) from its files and what they extend, check it and the results folder; return the files.

    Snakemake's own values are replaced, because its YAML reader accepts repeated keys and reads 2e-5 as text. Configuration
    errors are printed, one line each, and end the program with status 1: an exception would be shown with the line of the
    rules file that called this function.
    """
    use_this_python()
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.update(SPIN | os.environ)
    overlays = [
        path for name in workflow.overwrite_configfiles or [] if (path := Path(os.path.relpath(name))) != DEFAULT
    ]
    try:
        files = [DEFAULT, *with_extended(overlays)]
        resolved = merged_config(overlays)
    except UserError as error:
        sys.exit(f"Configuration error:\n  {error}")
    update_config(resolved, workflow.config_settings.config)  # `--config key=value`
    config.clear()
    config.update(resolved)
    if mistakes := check.mistakes(config):
        sys.exit("\n  ".join(["Configuration errors:", *with_locations(mistakes, files)]))
    names = list(map(str, files))
    if workflow.is_main_process:
        if mistake := run_folder.folder_mistake(config, names):
            sys.exit(f"Configuration error:\n  {with_locations([mistake], files)[0]}")
        if not workflow.output_settings.dryrun:
            wait_for_earlier_jobs()
    return names


def limit_gpus(workflow: Any, config: Config) -> gpus.Limit:
    """The limit of a job's GPUs, see `gpus.set_limit`. Ends the program with status 1 if nvidia-smi fails."""
    try:
        return gpus.set_limit(workflow, config)
    except UserError as error:
        sys.exit(f"Configuration error:\n  {error}")


def let_resources_grow(workflow: Any) -> None:
    """Give a retried job more of what it lacked, see `retries`. Called after the last rule."""
    if workflow.is_main_process:
        grow_resources(workflow.rules, Path.cwd().resolve())


def check_jobs(workflow: Any, config: Config, files: list[str], limit: gpus.Limit) -> None:
    """End the program with status 1, before any job starts, if jobs lack GPUs, SLURM or access to a gated model.

    Not with `--touch`, which runs no job.
    """
    if workflow.touch:
        return
    executor, on_cluster = workflow.executor_plugin.name, not workflow.local_exec
    if mistakes := start_mistakes(workflow.dag.needrun_jobs(), config, limit, executor, on_cluster):
        sys.exit("\n  ".join(["Configuration errors:", *with_locations(mistakes, [Path(name) for name in files])]))


def record_start(config: Config, files: list[str], project: str) -> None:
    """Claim the results folder for these configuration files and write `run.json`. `project` is the Snakefile's folder."""
    run_folder.claim_folder(config, files)
    record.write(config, files, run_folder.run_folder(config), Path(project))


def print_errors(config: Config, since: float) -> None:
    """Repeat the error lines of the failed jobs' logs at the end of the output. `since` is in seconds of the epoch."""
    for line in run_folder.error_lines(run_folder.run_folder(config) / "logs", since):
        print(line)


def print_results(config: Config) -> None:
    """Print where the report and the release are, if the run created the report."""
    folder = run_folder.run_folder(config)
    if (page := folder / "report" / "index.html").is_file():
        print(f"Done. Report: {page}. Files to publish: {folder / 'release'}")
