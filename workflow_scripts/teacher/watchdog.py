"""Run a command as long as the process that started it lives, and end all its descendants afterwards.

    python -I watchdog.py SECONDS COMMAND...      (standard input: a pipe that only the starter holds)

The pipe ends when the starter closes it or dies, also by `kill -9`. The command's process group then gets SIGTERM, and
SECONDS later all its descendants get SIGKILL. On Linux, orphaned descendants become children of this process, also
those in sessions of their own: vLLM's engines are such, and keep the GPU (vllm issue 55510). On other systems orphans
outside of the process group are not found. This file imports nothing from the project, because `-I` hides its path.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
KILL_SECONDS = 10.0  # maximum time until killed processes are gone
POLL_SECONDS = 0.2  # while the command runs
END_POLL_SECONDS = 0.05  # while its processes end


def prctl(option: int, value: int) -> None:
    """The Linux system call; does nothing on other systems."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def running_descendants() -> list[psutil.Process]:
    """The descendants of this process that still run; zombies are excluded."""
    running = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                running.append(process)
    return running


def reap(child: int) -> int | None:
    """Reap exited child processes. Returns the exit status of `child` if it is one of them, else None."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (exited := os.waitpid(-1, os.WNOHANG))[0]:
            if exited[0] == child:
                status = os.waitstatus_to_exitcode(exited[1])
    return status


def main(argv: list[str]) -> int:
    """Return the command's exit status, or 1 if it was ended by a signal."""
    shutdown_seconds, command = float(argv[0]), argv[1:]
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: signals.append(received))
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    # If this process is killed, the kernel kills the command's first process.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    ).pid
    status = None
    while status is None and not signals:
        readable, _, _ = select.select([0], [], [], POLL_SECONDS)
        if readable and not os.read(0, 1024):
            break
        status = reap(child)

    def end(number: int, seconds: float) -> None:
        """Send a signal and wait until no descendant runs."""
        nonlocal status
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (exit_status := reap(child)) is not None:
                status = exit_status
            if not (running := running_descendants()):
                return
            if number == signal.SIGKILL:
                for process in running:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
            time.sleep(END_POLL_SECONDS)

    end(signal.SIGTERM, shutdown_seconds if running_descendants() else 0)
    end(signal.SIGKILL, KILL_SECONDS)
    return status if status is not None and status >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
