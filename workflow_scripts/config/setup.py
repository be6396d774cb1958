"""What a start of Snakemake does with the configuration before any rule is read."""

import os
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.types import Config
from workflow_scripts.config import check, record
from workflow_scripts.config.code import use_this_python
from workflow_scripts.config.earlier_jobs import wait_for_earlier_jobs
from workflow_scripts.config.files import DEFAULT, merged_config, with_extended


def prepare(workflow: Any, config: Config) -> list[str]:
    """Resolve `extends` in `config` (in place), check it and the results folder; return the files it was merged from.

    WorkflowError with one line for each mistake.
    """
    use_this_python()
    overlays = [path for name in workflow.overwrite_configfiles or [] if (path := Path(os.path.relpath(name))) != DEFAULT]
    try:
        with_bases = with_extended(overlays)
        if with_bases != overlays:
            resolved = merged_config(overlays)
            update_config(resolved, workflow.config_settings.config)  # `--config key=value`
            config.clear()
            config.update(resolved)
    except UserError as error:
        raise WorkflowError(f"The configuration has mistakes:\n  {error}") from error
    files = [str(DEFAULT), *map(str, with_bases)]
    if mistakes := check.mistakes(config, files):
        raise WorkflowError("The configuration has mistakes:", *(f"  {line}" for line in mistakes))
    if workflow.is_main_process:
        if mistake := check.folder_mistake(config, files):
            raise WorkflowError(mistake)
        if not workflow.output_settings.dryrun:
            wait_for_earlier_jobs()
    return files


def record_start(config: Config, files: list[str], project: str) -> None:
    """Claim the results folder for these configuration files and write `run.json`. `project` is the Snakefile's folder."""
    check.claim_folder(config, files)
    record.write(config, files, _folder(config), Path(project))


def print_errors(config: Config, since: float) -> None:
    """Repeat the error lines of the failed jobs' logs at the end of the output. `since` is in seconds of the epoch."""
    for line in check.error_lines(_folder(config) / "logs", since):
        print(line)


def print_results(config: Config) -> None:
    """Where the report is, if the run made one."""
    if (page := _folder(config) / "report" / "index.html").is_file():
        print(f"Done. Report: {page}. Files to publish: {_folder(config) / 'release'}")


def _folder(config: Config) -> Path:
    return Path(config["results"]) / config["run"]
