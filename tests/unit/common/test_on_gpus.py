"""Each job on GPU cards of its own: real processes and locks, with a stand-in for NVIDIA's tool."""

import os
import signal
import subprocess
import sys
import time

import pytest

from workflow_scripts.common.on_gpus import Card, selectable

CARDS = [Card("0", "GPU-aaaa1111"), Card("1", "GPU-bbbb2222"), Card("2", "GPU-cccc3333")]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with three cards, of which none is locked."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{card.index}, {card.uuid}'\n" for card in CARDS))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tool


def job(count, script, **options):
    """A job that runs a shell script."""
    words = [sys.executable, "-m", "workflow_scripts.common.on_gpus", str(count), "sh", "-c", script]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def sleeping(count, **options):
    """A job that has its cards and holds them, and what it sees."""
    started = job(count, "echo $CUDA_VISIBLE_DEVICES; exec sleep 60", **options)
    return started, started.stdout.readline().strip()


def seen(count, **options):
    """What a job that ends at once sees."""
    return job(count, "echo $CUDA_VISIBLE_DEVICES", **options).communicate(timeout=60)[0].strip()


def test_jobs_at_once_see_different_cards(machine):
    jobs = [sleeping(1), sleeping(2)]
    try:
        cards = ",".join(card for _, card in jobs).split(",")
        assert sorted(cards) == ["0", "1", "2"]
    finally:
        for started, _ in jobs:
            started.kill()
            started.wait()


def test_a_killed_job_leaves_its_card(machine):
    started, card = sleeping(3)
    assert card == "0,1,2"
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert seen(3) == "0,1,2"


def test_a_process_that_outlives_its_job_keeps_the_card(machine):
    started = job(1, "sleep 60 >/dev/null 2>&1 & echo $!")
    left = int(started.communicate(timeout=60)[0])
    try:
        assert seen(2) == "1,2"
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_job_waits_until_enough_cards_are_free(machine):
    first, _ = sleeping(2)
    second = job(2, "echo $CUDA_VISIBLE_DEVICES")
    time.sleep(1)
    assert second.poll() is None
    first.kill()
    first.wait()
    printed, told = second.communicate(timeout=60)
    assert printed.strip() == "0,1" and "waiting for 2 of 3 GPUs" in told


def test_a_job_without_a_gpu_sees_none(machine):
    assert seen(0) == ""


def test_without_nvidias_tool_nothing_is_decided(machine, monkeypatch):
    machine.unlink()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    assert seen(1) == "5"


def test_more_than_there_are(machine):
    started = job(4, "true")
    told = started.communicate(timeout=60)[1]
    assert started.returncode == 1
    assert told.startswith("error: this job asks for 4 GPUs and sees 3.") and told.count("\n") == 1


def test_a_broken_driver(machine):
    machine.write_text("#!/bin/sh\necho 'Driver/library version mismatch'\nexit 18\n")
    started = job(1, "true")
    assert started.communicate(timeout=60)[1].startswith("error: nvidia-smi: Driver/library version mismatch. ")


def test_the_exit_status_is_the_commands(machine):
    assert job(1, "exit 7").wait() == 7


@pytest.mark.parametrize(
    ("named", "indices"),
    [(None, "012"), ("2,0", "20"), ("GPU-bbbb", "1"), ("", ""), ("7", "")],
    ids=["unset", "by index", "by uuid", "none", "unknown"],
)
def test_cards_that_are_named_from_outside(named, indices):
    environment = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    assert "".join(card.index for card in selectable(CARDS, environment)) == indices
