"""`run.json` in the run's folder: configuration, commit, versions and machine of the last start.

The report and the cards print it. It is not an input of any rule.
"""

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil

from workflow_scripts.common.rows import write_json
from workflow_scripts.common.types import Config, Row
from workflow_scripts.common.yaml_files import read_yaml

NAME = "run.json"
PACKAGES = (
    "snakemake", "datasets", "sentence-transformers", "openai", "xllamacpp", "vllm", "torch", "transformers", "trl", "peft",
    "accelerate", "lm-eval",
)  # fmt: skip


def write(config: Config, config_files: list[str], folder: Path, project: Path) -> None:
    """Write `run.json` into `folder`. `project` is the folder of the Snakefile, config.yaml and envs/."""
    defaults = read_yaml(project / "config.yaml")
    write_json(
        folder / NAME,
        {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "configfiles": config_files,
            "config": config,
            "differs": differences(defaults, config),
            "workflow": commit(project),
            "packages": packages(project / "envs"),
            "machine": machine(),
        },
    )


def differences(defaults: Any, values: Any, key: str = "") -> dict[str, list[Any]]:
    """{dotted key: [default, value]} of the values that differ; lists are compared as a whole, a missing value is None."""
    if not (isinstance(defaults, dict) and isinstance(values, dict)):
        return {} if defaults == values else {key: [defaults, values]}
    changes: dict[str, list[Any]] = {}
    for name in [*defaults, *(name for name in values if name not in defaults)]:
        dotted = f"{key}.{name}" if key else str(name)
        changes |= differences(defaults.get(name), values.get(name), dotted)
    return changes


def _output(command: list[str], folder: Path) -> str | None:
    """The standard output of a command; None if it is not installed, fails or takes more than 20 s."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def commit(project: Path) -> Row | None:
    """{commit, changed: files that differ from it}; None unless git tracks the project's Snakefile."""
    if _output(["git", "ls-files", "--error-unmatch", "Snakefile"], project) is None:
        return None
    head = _output(["git", "rev-parse", "HEAD"], project)
    changed = _output(["git", "status", "--porcelain", "--untracked-files=no", "--", "."], project)
    if head is None or changed is None:
        return None
    return {"commit": head.strip(), "changed": [line[3:] for line in changed.splitlines()]}


def packages(environments: Path) -> dict[str, Row]:
    """{name: {installed, pinned}} of the main packages; `pinned` is the version in the rules' conda environments."""
    pins: dict[str, str] = {}
    for path in sorted(environments.glob("*.yaml")):
        pins |= dict(re.findall(r"([\w-]+)(?:\[[\w,]+\])?==([\w.]+)", path.read_text(encoding="utf-8")))
    versions = {}
    for name in PACKAGES:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = None
        if installed or name in pins:
            versions[name] = {"installed": installed, "pinned": pins.get(name)}
    return versions


def machine() -> Row:
    """This machine: system, Python, processor, number of cores, memory in GiB, GPUs with their memory."""
    gpus = _output(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"], Path("."))
    return {
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [line.strip() for line in (gpus or "").splitlines() if line.strip()],
    }


def _processor() -> str:
    """The model of the processor. On Linux neither `platform` nor psutil reports it, but /proc/cpuinfo does."""
    try:
        model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        model = None
    return model[1].strip() if model else platform.processor() or platform.machine()
