"""The watchdog as a process: exit statuses, and the end of all descendants."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from workflow_scripts.teacher import watchdog

# A command whose child ignores SIGTERM in a session of its own; prints both process ids.
FAMILY = """
import os, subprocess, sys, time
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
print(os.getpid(), child.pid, flush=True)
if "orphan" in sys.argv:
    os._exit(0)
time.sleep(600)
"""


@pytest.fixture
def watch(tmp_path):
    """A function that starts the watchdog with a command, outside of the project's folder."""
    started = []

    def run(*command, seconds=0.3):
        process = subprocess.Popen(
            [sys.executable, "-I", watchdog.__file__, str(seconds), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def all_ended(pids, seconds=10):
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=seconds)
    return not alive


@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_status_is_that_of_the_command(watch, status):
    assert watch(sys.executable, "-c", f"raise SystemExit({status})").wait(10) == status


@pytest.mark.parametrize("end", ["closed pipe", "SIGTERM"])
def test_all_descendants_end(watch, end):
    process = watch(sys.executable, "-c", FAMILY)
    pids = [int(pid) for pid in process.stdout.readline().split()]
    if end == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    else:
        process.stdin.close()
    assert process.wait(15) == 1
    assert all_ended(pids, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
def test_orphans_end_with_the_command(watch):
    process = watch(sys.executable, "-c", FAMILY, "orphan")
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert process.wait(15) == 0
    assert all_ended(pids, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death is Linux's")
def test_the_command_ends_if_the_watchdog_is_killed(watch):
    process = watch(sys.executable, "-c", FAMILY)
    command, child = (int(pid) for pid in process.stdout.readline().split())
    process.kill()
    assert all_ended([command])
    os.kill(child, signal.SIGKILL)


def test_zombies_do_not_count_as_running():
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.pid in {process.pid for process in psutil.Process().children()}
    assert child.pid not in {process.pid for process in watchdog.running_descendants()}
    child.wait()
