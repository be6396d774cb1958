"""Run Python that a model wrote, where it can do no harm: in a bubblewrap sandbox (Linux).

Covered. No network, not even this machine's loopback: the program has a network of its own without any interface that leads out.
Nothing can be written but a scratch folder in memory, which is gone afterwards. Home folders, /tmp, /run and the
working directory are not visible; the Python installation is, read-only. No environment variable is passed on, so no key
or token. The program sees no other process, and all it started ends with it. Time, memory, file size and number of processes
are limited.

Not covered. Other files that this user may read (/etc, shared data) can be read, though with no network they lead nowhere.
A fault of the Linux kernel itself may let a program out: whoever expects attacks on purpose runs this in a virtual machine.
"""

import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from workflow_scripts.common.errors import UserError

MEMORY = 2**30  # bytes a program may use
FILE = 2**24  # bytes of a file it may write
PROCESSES = 64
PROGRAM = "/tmp/program/program.py"

LIMITS = """import resource, runpy, sys
for limit, value in ((resource.RLIMIT_AS, {memory}), (resource.RLIMIT_FSIZE, {file}), (resource.RLIMIT_CPU, {seconds}),
                     (resource.RLIMIT_NPROC, {processes}), (resource.RLIMIT_CORE, 0)):
    resource.setrlimit(limit, (value, value))
runpy.run_path({program!r}, run_name="__main__")
"""

HIDDEN = ("/home", "/root", "/tmp", "/run", "/var/tmp", "/mnt", "/media", "/srv")


def _command(folder: Path, seconds: float) -> list[str]:
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise UserError(
            "`evaluation.execute_code` needs bubblewrap, and there is no program `bwrap` on PATH. Install it (apt install "
            "bubblewrap, dnf install bubblewrap), or set `execute_code` to false."
        )
    hidden = [path for path in dict.fromkeys([*HIDDEN, str(Path.home()), str(Path.cwd())]) if Path(path).is_dir()]
    # A Python of the user's own may lie in a hidden folder: it alone is shown again.
    python = dict.fromkeys(str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.prefix))
    interpreter = str(Path(sys.executable).resolve())
    limits = LIMITS.format(memory=MEMORY, file=FILE, seconds=int(seconds) + 1, processes=PROCESSES, program=PROGRAM)
    return [
        *(bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/", "/"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in hidden for word in ("--tmpfs", path)),
        *(word for path in python for word in ("--ro-bind", path, path)),
        *("--tmpfs", "/dev/shm", "--tmpfs", "/tmp", "--ro-bind", str(folder), "/tmp/program"),
        *("--chdir", "/tmp", interpreter, "-I", "-S", "-B", "-c", limits),
    ]


def run_program(program: str, seconds: float) -> str:
    """`passed` if the program ran to its end, else why not: `timed out`, or the last line that it complained with."""
    token = secrets.token_hex(16)  # a program that leaves early, with whatever status, does not print it
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "shown"
        shown.mkdir()
        (shown / "program.py").write_text(f"{program}\nprint({token!r})\n", encoding="utf-8", errors="replace")
        # Into files, where the limit of a file's size holds for them too: a program may print without end.
        with open(Path(folder) / "out", "w+b") as out, open(Path(folder) / "error", "w+b") as error:
            try:
                done = subprocess.run(
                    _command(shown, seconds),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=error,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return "timed out"
            printed, complaints = (_end(file) for file in (out, error))
    if printed.endswith(token):
        return "passed"
    lines = complaints.splitlines()
    return lines[-1][:300] if lines else f"ended early, with status {done.returncode}"


def _end(file: IO[bytes], size: int = 4096) -> str:
    file.seek(max(file.seek(0, 2) - size, 0))
    return file.read().decode("utf-8", "replace").strip()


def check() -> None:
    """UserError unless the sandbox works on this machine and lets nothing through to the network."""
    if (outcome := run_program("pass", 30)) != "passed":
        raise UserError(
            f"the sandbox does not work here: {outcome}. bubblewrap needs user namespaces; ask your administrator, or set "
            "`evaluation.execute_code` to false."
        )
    reaches = "import socket\nassert [name for _, name in socket.if_nameindex()] in ([], ['lo'])"
    if (outcome := run_program(reaches, 30)) != "passed":
        raise UserError(
            f"the sandbox has a network ({outcome}), so nothing is executed. Set `evaluation.execute_code` to false."
        )
