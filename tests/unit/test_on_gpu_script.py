"""tests/benchmarks/on_gpu.sh with stand-ins for the programs that need a GPU: every step runs, and the table has its result."""

import os
import subprocess
from pathlib import Path

import pytest

# What each program prints, by a word of its arguments.
STAND_IN = """#!/bin/sh
echo "$(basename $0) $*" >> "{calls}"
case "$*" in
    *"--variants {fails}"*) echo "ImportError: no module flash_attn"; exit 1;;
    *--variants*) for word in "$@"; do last=$word; done; echo "$last 9576 50.0% 101.0 1.02x 10.4 -> 10.3";;
    *fetch_base*) echo "base model package:x: model.safetensors";;
    *fetch_task*) echo "pocket_science: 20 documents";;
    *evaluate_task*) echo "pocket_science: {{'acc': 0.3}}";;
    *shards/0000.jsonl*) echo "conversations: 16";;
    *query-gpu*) echo "NVIDIA H200, 143771 MiB";;
esac
"""


@pytest.fixture
def run(tmp_path):
    """A function that runs the script; the training variant `fails` fails."""

    def start(fails="none"):
        tools, calls = tmp_path / "bin", tmp_path / "calls"
        tools.mkdir(exist_ok=True)
        for name in ("python", "snakemake", "nvidia-smi"):
            (tools / name).write_text(STAND_IN.format(calls=calls, fails=fails))
            (tools / name).chmod(0o755)
        environment = {**os.environ, "PATH": f"{tools}:/usr/bin:/bin"}
        done = subprocess.run(
            ["tests/benchmarks/on_gpu.sh", str(tmp_path / "scratch")], capture_output=True, text=True, env=environment
        )
        return done, calls.read_text()

    return start


def test_every_step_has_a_row(run):
    done, calls = run()
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.split("result\n")[1].splitlines()
    assert [line.split()[:2] for line in table] == [
        [name, "ok"]
        for name in ("full-padding-free-flex", "full-packed-flex", "full-packed-flash", "qlora", "small-model", "vllm-shard",
                     "vllm-task-data", "vllm-score")
    ]  # fmt: skip
    assert "9576 50.0%" in table[0] and "'acc': 0.3" in table[-1]
    assert "evaluate_task" in calls and '"backend": "vllm"' in calls


def test_a_failed_step_is_shown_and_the_others_go_on(run):
    done, _ = run(fails="full-packed-flash")
    assert done.returncode == 1
    table = done.stdout.split("result\n")[1].splitlines()
    assert "failed (1)" in table[2] and "no module flash_attn" in table[2] and all(" ok " in line for line in table[3:])


def test_its_variants_and_settings_are_those_of_the_project():
    script = Path("tests/benchmarks/on_gpu.sh").read_text()
    variants = Path("tests/benchmarks/training_on_gpu.py").read_text()
    for name in ("full-padding-free-flex", "full-packed-flex", "full-packed-flash", "qlora"):
        assert f"training {name}\n" in script and f'"{name}": {{' in variants
