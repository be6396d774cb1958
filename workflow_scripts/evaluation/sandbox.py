"""Run Python code written by a model in a bubblewrap sandbox (Linux).

Covered:

- No network, not even the loopback interface of the machine, and no socket of the machine's file system.
- Only Python's interpreter, its library folder and the system's libraries are visible, read-only. Only /tmp is writable, in
  memory; it is deleted afterwards. No other file of the machine is visible, no environment variable, no other process.
- No capability, neither for root nor for a user, and no new user namespace. Started by root, the program runs as the
  unprivileged user 65534: files of root in /proc/sys are writable without any capability.
- Limits: time, memory of each process and of all together, size and number of files, number of processes. Output is
  discarded.
- The result cannot be forged: the tests run in another process (`harness`), which alone holds the pipe of the report. A
  function that compares two results of the completion with each other, as one item of HumanEval does, can be deceived.

Not covered: the kernel's system calls are not filtered (seccomp), so a vulnerability of the Linux kernel may allow an
escape. The memory of all processes together is measured 20 times a second, so it can exceed its limit for a moment. If
deliberate attacks are possible, use a virtual machine.
"""

import inspect
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation import harness

PROCESS_MEMORY_BYTES = 2**30
MEMORY_BYTES = 2**31  # of all processes together
FILE_BYTES = 2**24  # of each written file
SCRATCH_BYTES = 2**26  # of /tmp
MAX_FILES = 32  # open ones of a process
MAX_PROCESSES = 8  # with bubblewrap's and the harness
CHECK_SECONDS = 30
NOBODY = 65534

LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/etc/ld.so.cache")
# Root runs bubblewrap twice: its files may be in folders that only root can enter, such as /root, and without a user
# namespace of another user's, neither the limit of processes nor the permissions of /proc/sys apply to root.
LEAVE_ROOT = (
    f"import os, sys; os.setgroups([]); os.setresgid(*[{NOBODY}] * 3); os.setresuid(*[{NOBODY}] * 3); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
ADVICE = "Ask your administrator, or set `evaluation.execute_code` to false."

# What a completion must not be able to do, by the name of the exception that reports it.
PROBES = {
    "HasCapabilities": """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
if int(status["CapEff"], 16) or int(status["CapPrm"], 16): raise HasCapabilities""",
    "CanRemount": """
import ctypes
for folder in (b"/", b"/usr/lib"):
    if ctypes.CDLL(None).mount(None, folder, None, 32 | 4096, None) == 0: raise CanRemount  # MS_REMOUNT | MS_BIND""",
    "HasNetwork": """
import socket
if [name for _, name in socket.if_nameindex()] not in ([], ["lo"]): raise HasNetwork""",
    "CanWriteSystemSettings": """
import os
if os.access("/proc/sys/kernel/core_pattern", os.W_OK): raise CanWriteSystemSettings""",
    "UnlimitedProcesses": f"""
import os, time
try:
    for _ in range({MAX_PROCESSES}):
        if os.fork() == 0: time.sleep({CHECK_SECONDS})
except OSError: pass
else: raise UnlimitedProcesses""",
    "CanForge": """
import glob, os, signal
for path in glob.glob("/proc/*/fd/*"):
    try: os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b"raised CanForge")
    except OSError: pass
os.kill(os.getppid(), signal.SIGKILL)""",
}
HELD = {"CanForge": "ended early"}  # outcomes of the probes in a sandbox that holds, if it is not `passed`


def _command(output: int) -> list[str]:
    """The command that runs the harness, which writes its report to the descriptor `output`. UserError without bwrap."""
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise UserError(
            "`evaluation.execute_code` needs bubblewrap, but there is no program `bwrap` on PATH. Install it (apt install "
            "bubblewrap, dnf install bubblewrap), or set `execute_code` to false."
        )
    bubblewrap, python = (str(Path(name).resolve()) for name in (bubblewrap, sys.executable))
    interpreter = [python, "-I", "-S", "-B", "-c"]
    view = [*_view([bubblewrap, python]), "--die-with-parent"]
    inner = [
        *(bubblewrap, *view, "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"),
        *(
            "--uid",
            str(NOBODY),
            "--gid",
            str(NOBODY),
            "--new-session",
            "--clearenv",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ),
        *("--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", "/tmp", *interpreter, f"{inspect.getsource(harness)}\nmain()", str(output)),
    ]
    if os.geteuid() != 0:
        return inner
    return [
        *(bubblewrap, *view, "--bind", "/proc", "/proc", "--dev", "/dev", "--dir", "/tmp", "--cap-drop", "ALL"),
        *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", *interpreter, LEAVE_ROOT, *inner),
    ]


def _view(programs: list[str]) -> list[str]:
    """The options that make the programs, Python's library and the system's libraries visible."""
    python = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")} | {f"{sys.base_prefix}/lib"}
    options: list[str] = []
    parents: dict[str, None] = {}
    for name in [*LIBRARIES, *sorted(python), *programs]:
        path = Path(name)
        if path.is_symlink():
            options += ["--symlink", os.readlink(path), name]
        elif path.exists():
            options += ["--ro-bind", name, name]
        parents |= dict.fromkeys(map(str, reversed(path.parents[:-1])))
    # bubblewrap would create the folders for its own user only.
    return [word for parent in parents for word in ("--perms", "0755", "--dir", parent)] + options


def run_program(item: dict[str, str], completion: str, seconds: float) -> str:
    """Test the completion of an item {prompt, test, entry_point}.

    Returns `passed`; `raised NAME` with the type of the exception that ended it; `timed out`; or `ended early`. UserError
    if the sandbox does not start.
    """
    names = ("prompt", "test", "entry_point")
    limits = {
        "AS": PROCESS_MEMORY_BYTES,
        "FSIZE": FILE_BYTES,
        "NOFILE": MAX_FILES,
        "NPROC": MAX_PROCESSES,
        "CPU": int(seconds) + 1,
        "CORE": 0,
        "MSGQUEUE": 0,
    }
    job = {
        "item": {**{name: item[name] for name in names}, "completion": completion},
        "limits": limits,
        "memory": MEMORY_BYTES,
    }
    reader, writer = os.pipe()
    # A file, because the program reaches the standard error of bubblewrap's process: the limit of file sizes applies.
    with os.fdopen(reader, "rb") as report, tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                _command(writer),
                input=json.dumps(job).encode(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[writer],
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "timed out"
        finally:
            os.close(writer)
        started, _, outcome = report.read().decode().partition("\n")
        if started:
            return outcome or "ended early"
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").splitlines() or [f"status {done.returncode}"]
    raise UserError(
        f"the sandbox does not start here: {lines[-1]}. It needs bubblewrap 0.8 or newer and user namespaces. {ADVICE}"
    )


def check() -> None:
    """UserError unless the sandbox works on this machine and blocks what it promises to block."""
    item = {"prompt": "", "test": "def check(candidate): candidate()", "entry_point": "probe"}
    for name, probe in {"Fails": "", **PROBES}.items():
        program = f"class {name}(Exception): pass\n{probe}\ndef probe(): pass"
        if (outcome := run_program(item, program, CHECK_SECONDS)) != HELD.get(name, "passed"):
            raise UserError(f"the sandbox does not hold here ({outcome}), so nothing is executed. {ADVICE}")
