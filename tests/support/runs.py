"""Copies of the project in which tests start snakemake as a user would, with forty seeds and any teacher."""

import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[2]
PARTS = ["Snakefile", "config.yaml", "rules", "workflow_scripts", "envs", "presets", "profiles", "resources"]


class Project:
    """A copy of the project."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.printed: list[str] = []  # output of the runs
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)

    def command(self, *words: str) -> list[str]:
        """snakemake of this Python's environment."""
        return [str(Path(sys.executable).parent / "snakemake"), "--cores", "2", *words]

    def run(self, *words: str, check: bool = True, prefix: Sequence[str] = ()) -> str:
        """The output of snakemake; AssertionError with the output if it failed and `check` is true."""
        done = subprocess.run(
            [*prefix, *self.command(*words)], cwd=self.folder, capture_output=True, text=True, env=environment()
        )
        printed = done.stdout + done.stderr
        assert not check or done.returncode == 0, printed
        assert check or done.returncode != 0, printed
        return printed

    def planned(self, *words: str) -> dict[str, int]:
        """Number of jobs of a dry run, by rule."""
        printed = self.run("--quiet", "reason", "--dry-run", *words)
        table = re.search(r"^-+  -+\n(.*?)^total ", printed, re.DOTALL | re.MULTILINE)
        jobs = dict(line.split() for line in table[1].splitlines()) if table else {}
        return {rule: int(count) for rule, count in jobs.items()}


def environment() -> dict[str, str]:
    """This environment, with the Hugging Face libraries offline."""
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


CONCURRENCY = 4
JOBS = 2  # at once
CANARY = "canary-5d1f0c6e2b"
DATA = "results/mine/synthesis/data.jsonl"
SUBJECTS = [
    "lighthouses", "glaciers", "sourdough", "violins", "compasses", "monsoons", "beehives", "suspension bridges",
    "tidal pools", "printing presses",
]  # fmt: skip


def sources() -> dict[str, list[dict[str, str]]]:
    """Forty seeds in two sources, written here."""
    asked = {
        "made": [
            ("Why do {} matter to people who never see one?", "They carry work that others rely on, and {} fail slowly."),
            ("Give three reasons why {} are hard to copy.", "Their makers adjust {} by ear and touch. Drawings leave that out."),
        ],
        "found": [
            ("How would you explain {} to a patient child?", "Begin with what can be held. With {} that is the weight."),
            ("What is the oldest mistake about {}, and who corrected it?", "That {} need no care. Travellers saw otherwise."),
        ],
    }  # fmt: skip
    return {
        name: [
            {"instruction": question.format(subject), "response": answer.format(subject)}
            for subject in SUBJECTS
            for question, answer in pairs
        ]
        for name, pairs in asked.items()
    }


def configure(project: Project, base_url: str, *, reverse: bool = False, shard_size: int = 20, **teacher) -> list[str]:
    """Options of snakemake for a run on the forty seeds with the teacher at `base_url`."""
    entries = []
    for name, rows in sources().items():
        path = project.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        entries.append({"id": name, "label": name, "path": path.name, "layout": "instruction", "license": "MIT"})
    sampling = yaml.safe_load((project.folder / "config.yaml").read_text())["synthesis"]["sampling"]
    own = {
        "run": "mine",
        "seeds": {
            "sources": entries[::-1] if reverse else entries,
            "limit": 40,
            "cleaning": {"rules": ["empty"]},
            "deduplication": {"semantic_distance": None},
            "labels": {"by": "none"},
        },
        "teacher": {
            "kind": "endpoint", "model": "scripted", "base_url": base_url, "prefill": False, "concurrency": CONCURRENCY,
            "timeout": 2, "retries": 8, "max_failure_rate": 0.5, **teacher,
        },
        "synthesis": {
            "shard_size": shard_size,
            "exchanges": [{"count": 3, "weight": 0.62}, {"count": 4, "weight": 0.38}],
            "sampling": {kind: values | {"max_tokens": 700} for kind, values in sampling.items()},
        },
    }  # fmt: skip
    (project.folder / "mine.yaml").write_text(yaml.safe_dump(own))
    return ["--configfile", "mine.yaml", "--set-threads", f"synthesize_shard={2 // JOBS}"]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def nothing_is_lost(project: Project) -> dict:
    """The stage's statistics, which must account for every seed."""
    stage = (project.folder / DATA).parent
    stats = json.loads((stage / "stats.json").read_text())
    grown, rejected = rows(stage / "data.jsonl"), rows(stage / "rejected.jsonl")
    seeds = {seed["id"] for seed in rows(stage.parent / "seeds" / "data.jsonl")}
    assert stats["in"] == len(seeds) == 40
    assert stats["out"] == len(grown) and sum(stats["rejected"].values()) == len(rejected)
    assert Counter(seeds) == Counter([row["provenance"]["seed"] for row in grown] + [row["id"] for row in rejected])
    return stats


def alive(project: Project) -> list[int]:
    """Processes whose working directory is the project."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(project.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            pass  # ended meanwhile, or another user's
    return found


def kill(project: Project, leader: subprocess.Popen) -> None:
    """`kill -9` of a whole process group; no process of it may survive."""
    with contextlib.suppress(ProcessLookupError):  # it had ended
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    deadline = time.monotonic() + 10
    while left := alive(project):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)
    time.sleep(0.3)  # the server notices that its clients are gone


def interruptible() -> None:
    """As `preexec_fn`: a new process can be interrupted also if this one runs in the background, where a shell ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def places_with(secret: str, folder: Path) -> list[str]:
    """The files that contain the text, also in compressed form."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if secret.encode() in (gzip.decompress(content) if path.suffix == ".gz" else content):
                found.append(str(path))
    return found
