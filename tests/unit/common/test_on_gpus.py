"""Each job has GPUs of its own: real processes and locks, with a fake nvidia-smi."""

import os
import signal
import subprocess
import sys
import time

import pytest

from workflow_scripts.common.on_gpus import Card, visible_cards

CARDS = [Card("0", "GPU-aaaa1111"), Card("1", "GPU-bbbb2222"), Card("2", "GPU-cccc3333")]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with three unlocked cards."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{card.index}, {card.uuid}'\n" for card in CARDS))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tool


def job(count, script, **options):
    """A job that runs a shell script."""
    words = [sys.executable, "-m", "workflow_scripts.common.on_gpus", str(count), "sh", "-c", script]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def sleeping(count, **options):
    """A job that holds its cards, and its CUDA_VISIBLE_DEVICES."""
    started = job(count, "echo $CUDA_VISIBLE_DEVICES; exec sleep 60", **options)
    return started, started.stdout.readline().strip()


def seen(count, **options):
    """CUDA_VISIBLE_DEVICES of a job that ends at once."""
    return job(count, "echo $CUDA_VISIBLE_DEVICES", **options).communicate(timeout=60)[0].strip()


def test_concurrent_jobs_see_different_cards(machine):
    jobs = [sleeping(1), sleeping(2)]
    try:
        cards = ",".join(card for _, card in jobs).split(",")
        assert sorted(cards) == ["0", "1", "2"]
    finally:
        for started, _ in jobs:
            started.kill()
            started.wait()


def test_a_killed_job_releases_its_cards(machine):
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
    printed, logged = second.communicate(timeout=60)
    assert printed.strip() == "0,1" and "waiting for 2 of 3 GPUs" in logged


@pytest.fixture
def locks(machine):
    """The folder of this user's locks in the folder for temporary files, which everyone may write to."""
    return machine.parents[1] / f"capybara-gpus-{os.getuid()}"


def test_locks_are_in_a_private_folder(machine, locks, tmp_path, monkeypatch):
    locks.mkdir(mode=0o755)  # by an earlier version
    assert seen(1) == "0"
    assert locks.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in locks.iterdir()] == [0o600]
    runtime = tmp_path / "runtime"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    runtime.mkdir(mode=0o755)
    assert seen(1) == "0" and not any(runtime.iterdir())  # others may enter it
    runtime.chmod(0o700)
    assert seen(1) == "0" and (runtime / "capybara-gpus" / CARDS[0].uuid).exists()


@pytest.mark.parametrize("planted", ["link", "owner"])
def test_a_folder_that_another_user_planted_is_refused(machine, locks, tmp_path, planted):
    if planted == "link":
        (tmp_path / "theirs").mkdir()
        locks.symlink_to(tmp_path / "theirs")
    elif os.getuid() == 0:
        locks.mkdir()
        os.chown(locks, 65534, 65534)
    else:
        pytest.skip("only root can give a folder to another user")
    started = job(1, "true")
    message = started.communicate(timeout=60)[1]
    assert started.returncode == 1 and message.count("\n") == 1
    assert message.startswith(
        f"error: {locks}: another user's, or not a folder. The locks of GPUs need a folder of your own"
    )


def test_a_planted_link_is_not_followed(machine, locks, tmp_path):
    locks.mkdir(mode=0o700)
    (locks / CARDS[0].uuid).symlink_to(tmp_path / "created")
    started = job(1, "true")
    message = started.communicate(timeout=60)[1]
    assert message == f"error: {locks / CARDS[0].uuid}: a symbolic link is where a file is needed. Remove the link.\n"
    assert started.returncode == 1 and not (tmp_path / "created").exists()


def test_a_job_without_a_gpu_sees_none(machine):
    assert seen(0) == ""


def test_without_nvidia_smi_the_environment_is_unchanged(machine, monkeypatch):
    machine.unlink()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    assert seen(1) == "5"


def test_more_gpus_than_there_are_is_an_error(machine):
    started = job(4, "true")
    message = started.communicate(timeout=60)[1]
    assert started.returncode == 1
    assert message.startswith("error: this job requests 4 GPUs and sees 3.") and message.count("\n") == 1


def test_a_broken_driver_is_reported(machine):
    machine.write_text("#!/bin/sh\necho 'Driver/library version mismatch'\nexit 18\n")
    started = job(1, "true")
    assert started.communicate(timeout=60)[1].startswith("error: nvidia-smi: Driver/library version mismatch. Fix")


def test_the_exit_status_is_that_of_the_command(machine):
    assert job(1, "exit 7").wait() == 7


@pytest.mark.parametrize(
    ("named", "indices"),
    [(None, "012"), ("2,0", "20"), ("GPU-bbbb", "1"), ("", ""), ("7", "")],
    ids=["unset", "by index", "by uuid", "none", "unknown"],
)
def test_cards_listed_in_cuda_visible_devices(named, indices):
    environment = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    assert "".join(card.index for card in visible_cards(CARDS, environment)) == indices
