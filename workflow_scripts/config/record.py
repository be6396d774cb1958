"""What a run was started with: `run.json` in its folder, for the page and the cards. It is a record, no input of any rule."""

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
import yaml

from workflow_scripts.common.rows import write_json
from workflow_scripts.common.types import Row

NAME = "run.json"
PACKAGES = (
    "snakemake", "datasets", "sentence-transformers", "openai", "xllamacpp", "vllm", "torch", "transformers", "trl", "peft",
    "accelerate", "lm-eval",
)  # fmt: skip


def write(config: Row, config_files: list[str], folder: Path, project: Path) -> None:
    """Write the record of a start. `project` is the folder of the Snakefile, config.yaml and envs/."""
    defaults = yaml.safe_load((project / "config.yaml").read_text(encoding="utf-8"))
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
    """{dotted key: [default, value]} of what differs; lists are compared as a whole, what is missing is None."""
    if not (isinstance(defaults, dict) and isinstance(values, dict)):
        return {} if defaults == values else {key: [defaults, values]}
    found: dict[str, list[Any]] = {}
    for name in [*defaults, *(name for name in values if name not in defaults)]:
        dotted = f"{key}.{name}" if key else str(name)
        found |= differences(defaults.get(name), values.get(name), dotted)
    return found


def _printed(command: list[str], folder: Path) -> str | None:
    """What a command printed, or None where it is missing, fails or hangs."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def commit(project: Path) -> Row | None:
    """The workflow's commit and the files that differ from it; None outside a checkout of its own."""
    if _printed(["git", "ls-files", "--error-unmatch", "Snakefile"], project) is None:
        return None
    found = _printed(["git", "rev-parse", "HEAD"], project)
    changed = _printed(["git", "status", "--porcelain", "--untracked-files=no", "--", "."], project)
    if found is None or changed is None:
        return None
    return {"commit": found.strip(), "changed": [line[3:] for line in changed.splitlines()]}


def packages(environments: Path) -> dict[str, Row]:
    """The main packages: the version installed here, and the one that the rules' conda environments pin, if any."""
    pins: dict[str, str] = {}
    for path in sorted(environments.glob("*.yaml")):
        pins |= dict(re.findall(r"([\w-]+)(?:\[[\w,]+\])?==([\w.]+)", path.read_text(encoding="utf-8")))
    found = {}
    for name in PACKAGES:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = None
        if installed or name in pins:
            found[name] = {"installed": installed, "pinned": pins.get(name)}
    return found


def machine() -> Row:
    """This machine: system, processor, cores, memory in GiB, GPUs by name and memory."""
    gpus = _printed(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"], Path("."))
    return {
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [line.strip() for line in (gpus or "").splitlines() if line.strip()],
    }


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()
