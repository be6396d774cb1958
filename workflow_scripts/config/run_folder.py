"""The folder of a run, <results>/<run>: which configurations may use it, and what failed in it."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.common.rows import write_json
from workflow_scripts.common.types import Config
from workflow_scripts.config.files import read_file

RECORD = "configfiles"
# What identifies the inputs of a run.
INPUTS = (("seeds", "sources"), ("conversations", "include"), ("teacher", "model"), ("training", "base"))


def run_folder(config: Config) -> Path:
    """<results>/<run>."""
    return Path(config["results"], config["run"])


def folder_mistake(config: Config, files: Sequence[str]) -> str | None:
    """Why this configuration, merged from `files` in this order, must not use its results folder; None if it may.

    A start belongs to the run in the folder if at least one of these three is as it was at the last start:
    - the path of the file that sets `run:`; then a file was edited, or an overlay was added or dropped;
    - the content of that file; then it was renamed or moved;
    - seed sources, included conversations, teacher model and base model; then the files were reorganised.
    Such a start is a partial rerun. Any other is an unrelated configuration that happens to use the same `run:` name.
    If the name comes from `--config run=...`, the last file counts as the one that sets it.
    Earlier versions recorded only the files' paths, one per line: they must contain the file that sets `run:`.
    """
    folder = run_folder(config)
    try:
        recorded = (folder / RECORD).read_text(encoding="utf-8")
    except OSError:
        recorded = ""
    if recorded and (owner := _other_owner(recorded, _start(config, files))):
        return (
            f"run: {folder} contains the results of another configuration ({owner}), not of {', '.join(files)}. "
            "Set another `run:` name."
        )
    for parent in (folder, *folder.parents):
        if parent.is_symlink() and not parent.exists():
            return f"results: {parent} is a link to {parent.readlink()}, which does not exist. Mount its file system."
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not nearest.is_dir():
        return f"results: {nearest} is a file, so {folder} cannot be created. Set another `results:` folder."
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"results: {nearest} is not writable, so {folder} cannot be written. Set another `results:` folder, or fix the permissions."
    return None


def claim_folder(config: Config, files: Sequence[str]) -> None:
    """Record this start in the results folder; `folder_mistake` compares later starts with it."""
    write_json(run_folder(config) / RECORD, _start(config, files))


def _start(config: Config, files: Sequence[str]) -> dict[str, Any]:
    """What is recorded of a start: all files, the one that sets `run:`, its SHA-256, and the inputs."""
    setting = next((name for name in reversed(files) if read_file(Path(name)).get("run") == config["run"]), files[-1])
    return {
        "files": list(files),
        "run_file": setting,
        "run_file_sha256": hashlib.sha256(Path(setting).read_bytes()).hexdigest(),
        "inputs": {f"{section}.{key}": config[section][key] for section, key in INPUTS},
    }


def _other_owner(recorded: str, start: dict[str, Any]) -> str | None:
    """The files of the recorded start if `start` does not belong to the same run, else None."""
    try:
        earlier = json.loads(recorded)
    except ValueError:  # written by an earlier version
        paths = recorded.splitlines()
        return None if start["run_file"] in paths else ", ".join(paths)
    same = any(start[key] == earlier[key] for key in ("run_file", "run_file_sha256", "inputs"))
    return None if same else ", ".join(earlier["files"])


def error_lines(logs: Path, since: float) -> list[str]:
    """The `error:` lines of the job logs that were written after `since` (seconds of the epoch), each once."""
    paths = [path for path in sorted(logs.rglob("*.log")) if path.stat().st_mtime >= since]
    lines = [
        line for path in paths for line in path.read_text("utf-8", "replace").splitlines() if line.startswith("error: ")
    ]
    return list(dict.fromkeys(lines))
