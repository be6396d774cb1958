"""Runs a command for as long as the process that started it lives, and leaves nothing of it behind.

    python -I watchdog.py SECONDS COMMAND...      (standard input: a pipe that only the starter holds)

The pipe ends when the starter closes it or dies in any way, `kill -9` among them. Then the command's process group
gets SIGTERM, and SECONDS later whatever descends from it SIGKILL. Processes that lost their parent come to this one,
also out of sessions of their own: vLLM's engines are such, and keep the GPU (vllm issue 55510). Linux; elsewhere only
the process group is ended. Only the standard library: it runs with no path to this project.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PATIENCE = 10.0  # seconds for what was killed to be gone


def prctl(option: int, value: int) -> None:
    """The Linux call of that name; nothing elsewhere."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants() -> list[int]:
    """Process ids of what descends from this process and still runs."""
    children: dict[int, list[int]] = {}
    running = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            children.setdefault(int(parent), []).append(int(folder.name))
            if state not in "ZX":
                running.add(int(folder.name))
    found, rest = [], [os.getpid()]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return [process for process in found if process in running]


def reap(child: int) -> int | None:
    """Take leave of every process that ended; the child's exit status if it is among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                status = os.waitstatus_to_exitcode(ended[1])
    return status


def main(argv: list[str]) -> int:
    """The command's exit status."""
    grace, command = float(argv[0]), argv[1:]
    asked_to_end = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: asked_to_end.append(True))
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    # If even this process is killed, the command's first process goes with it.
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    ).pid
    status = None
    while status is None and not asked_to_end:
        readable, _, _ = select.select([0], [], [], 0.2)
        if readable and not os.read(0, 1024):
            break
        status = reap(child)

    def end(number: int, seconds: float) -> None:
        nonlocal status
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, number)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (ended := reap(child)) is not None:
                status = ended
            if not (left := descendants()):
                return
            if number == signal.SIGKILL:
                for process in left:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(process, number)
            time.sleep(0.05)

    end(signal.SIGTERM, grace if descendants() else 0)
    end(signal.SIGKILL, PATIENCE)
    return status if status is not None and status >= 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
