"""Training as its rule starts it, on a model of a few thousand weights: resumed after `kill -9`, packed, rejected."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.tiny_training import TinyTraining, environment
from workflow_scripts.training.checkpoints import CHECKSUMS

pytestmark = pytest.mark.slow


def wait_for(path, process, seconds=120):
    """Wait for a file; AssertionError if the process ends before."""
    end = time.monotonic() + seconds
    while not list(path.parent.parent.parent.glob(f"*/{path.parent.name}/{path.name}")):
        assert process.poll() is None, process.stderr.read()[-2000:]
        assert time.monotonic() < end, f"no {path} after {seconds} s"
        time.sleep(0.02)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_killed_and_started_again_it_has_the_curve_of_a_run_that_was_not(tmp_path, method):
    tiny = TinyTraining(tmp_path, rows=60, method=method, batching="padding_free", save_steps=3, epochs=4)
    tiny.audit()
    tiny.train()
    running = tiny.start(out="again", state="other")
    wait_for(tmp_path / "other" / "any" / "checkpoint-6" / CHECKSUMS, running)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "again" / "metrics.jsonl").exists()
    printed = tiny.train(out="again", state="other")
    step = int(printed.split("resuming from the checkpoint of step ")[1].split()[0])
    assert step >= 6
    # The whole curve is there, also of the steps before the kill, and the held-out losses.
    assert tiny.curve("again") == pytest.approx(tiny.curve(), abs=1e-6)
    assert tiny.curve("again", "eval_loss") == pytest.approx(tiny.curve(key="eval_loss"), abs=1e-6)
    assert not list((tmp_path / "other").glob("*")), "what is finished leaves no checkpoints"
    names = {path.suffix for path in (tmp_path / "again" / "trained").iterdir()}
    assert ".safetensors" in names and not names & {".bin", ".pt", ".pth"}


def test_padded_and_flat_batches_give_the_same_curve(tmp_path):
    curves = []
    for batching in ("padded", "padding_free"):
        tiny = TinyTraining(tmp_path / batching, batching=batching)
        tiny.audit()
        tiny.train()
        curves.append(tiny.curve())
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)


# The largest difference of two losses of the same step. In bfloat16, FSDP rounds weights that DDP keeps in float32.
CURVE_TOLERANCE = {"float32": 1e-5, "bfloat16": 1e-3}


@pytest.mark.parametrize(("method", "dtype"), [("full", "float32"), ("lora", "bfloat16")])
def test_the_curve_is_the_same_on_two_processes(tmp_path, method, dtype):
    """One process, two with DDP, two with FSDP2 as profiles/accelerate/fsdp2.yaml configures it, on CPUs with gloo."""
    tiny = TinyTraining(tmp_path, batching="padding_free", micro_batch_size=1, epochs=1, method=method, dtype=dtype)
    tiny.audit()
    tiny.train()
    ddp = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    printed = tiny.train(*ddp, out="ddp", state="ddp-state")
    assert printed.count("2 processes; 4 rows per step: 1 per process, gradient accumulation 2") == 1
    fsdp = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--config_file",
        "profiles/accelerate/fsdp2.yaml", "tests/support/fsdp_on_cpu.py"]  # fmt: skip
    printed = tiny.train(*fsdp, out="fsdp", state="fsdp-state")
    assert "2 processes, sharded by FSDP; 4 rows per step" in printed
    assert "rank 0: read the weights" in printed and "rank 1: did not read the weights" in printed
    for key in ("loss", "eval_loss"):
        one, two, sharded = (tiny.curve(out, key) for out in ("out", "ddp", "fsdp"))
        assert two == pytest.approx(one, abs=1e-4)
        assert sharded == pytest.approx(one, abs=CURVE_TOLERANCE[dtype])
    names = [sorted(path.name for path in (tmp_path / out / "trained").iterdir()) for out in ("out", "fsdp")]
    assert names[0] == names[1]


def test_another_precision_of_the_launcher_is_refused(tmp_path):
    tiny = TinyTraining(tmp_path, micro_batch_size=1)
    tiny.audit()
    launcher = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--num_processes",
        "1",
        "--mixed_precision",
        "bf16",
        "--cpu",
        "-m",
    ]
    printed = subprocess.run([*launcher, *tiny.command()[2:]], capture_output=True, text=True, env=environment()).stderr
    assert "computes with mixed precision bf16, and `training.dtype` is float32" in printed


def failed(tiny, *launcher, **more):
    """The output of a training that must fail."""
    process = tiny.start(*launcher, **more)
    _, printed = process.communicate()
    assert process.returncode == 1, printed
    assert "Traceback" not in printed, printed
    return printed


def test_other_tokens_than_the_audited_are_refused(tmp_path):
    tiny = TinyTraining(tmp_path)
    tiny.audit()
    audit = json.loads((tmp_path / "audit.json").read_text())
    (tmp_path / "audit.json").write_text(json.dumps(audit | {"fingerprint": "0" * 64}))
    assert "which are not the 22 samples with" in failed(tiny)
    assert not (tmp_path / "out" / "trained").exists()


@pytest.mark.parametrize("small_disk", ["800k"], indirect=True)
def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, small_disk):
    """A limit on file sizes would raise a signal; a small file system is a truly full disk."""
    tiny = TinyTraining(tmp_path, rows=60, save_steps=2, epochs=6)
    tiny.audit()
    printed = failed(tiny, state=small_disk.name)
    assert "the disk is full: " in printed
    assert "The checkpoint of step 2 is complete; the same command resumes from it." in printed
