"""Run Python code written by a model in a bubblewrap sandbox (Linux).

Covered: no network, not even the loopback interface of the machine. Only a scratch folder in memory is writable, and it is
deleted afterwards. Home folders, /tmp, /run and the working directory are not visible; the Python installation is, read-only.
No environment variable is passed on, so no key or token. The program sees no other process, and its child processes end with
it. Time, memory, file size and number of processes are limited.

Not covered: other files that this user may read (/etc, shared data) are readable, but cannot be sent anywhere without a
network. A vulnerability of the Linux kernel may allow an escape; if deliberate attacks are possible, use a virtual machine.
"""

import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from workflow_scripts.common.errors import UserError

MEMORY_BYTES = 2**30
FILE_BYTES = 2**24  # of each written file
MAX_PROCESSES = 64
CHECK_SECONDS = 30
MAX_OUTCOME_CHARS = 300
TAIL_BYTES = 4096  # of the output that is read
PROGRAM_PATH = "/tmp/program/program.py"

LIMITED_RUN = """import resource, runpy, sys
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
            "`evaluation.execute_code` needs bubblewrap, but there is no program `bwrap` on PATH. Install it (apt install "
            "bubblewrap, dnf install bubblewrap), or set `execute_code` to false."
        )
    hidden = [path for path in dict.fromkeys([*HIDDEN, str(Path.home()), str(Path.cwd())]) if Path(path).is_dir()]
    # The Python installation may be in a hidden folder and is made visible again.
    python = dict.fromkeys(str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.prefix))
    interpreter = str(Path(sys.executable).resolve())
    code = LIMITED_RUN.format(
        memory=MEMORY_BYTES, file=FILE_BYTES, seconds=int(seconds) + 1, processes=MAX_PROCESSES, program=PROGRAM_PATH
    )
    return [
        *(bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/", "/"),
        *("--proc", "/proc", "--dev", "/dev"),
        *(word for path in hidden for word in ("--tmpfs", path)),
        *(word for path in python for word in ("--ro-bind", path, path)),
        *("--tmpfs", "/dev/shm", "--tmpfs", "/tmp", "--ro-bind", str(folder), "/tmp/program"),
        *("--chdir", "/tmp", interpreter, "-I", "-S", "-B", "-c", code),
    ]


def run_program(program: str, seconds: float) -> str:
    """`passed` if the program ran to its end, otherwise `timed out`, or the last line of its standard error."""
    token = secrets.token_hex(16)  # a program that exits early, with any status, does not print it
    with tempfile.TemporaryDirectory() as folder:
        visible = Path(folder) / "visible"
        visible.mkdir()
        (visible / "program.py").write_text(f"{program}\nprint({token!r})\n", encoding="utf-8", errors="replace")
        # The output goes to files, so that the limit of the file size also applies to endless output.
        with open(Path(folder) / "out", "w+b") as out, open(Path(folder) / "error", "w+b") as error:
            try:
                done = subprocess.run(
                    _command(visible, seconds),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=error,
                    timeout=seconds,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return "timed out"
            printed, errors = (_tail(file) for file in (out, error))
    if printed.endswith(token):
        return "passed"
    lines = errors.splitlines()
    return lines[-1][:MAX_OUTCOME_CHARS] if lines else f"ended early, with status {done.returncode}"


def _tail(file: IO[bytes]) -> str:
    file.seek(max(file.seek(0, 2) - TAIL_BYTES, 0))
    return file.read().decode("utf-8", "replace").strip()


def check() -> None:
    """UserError unless the sandbox works on this machine and blocks the network."""
    if (outcome := run_program("pass", CHECK_SECONDS)) != "passed":
        raise UserError(
            f"the sandbox does not work here: {outcome}. bubblewrap needs user namespaces. Ask your administrator, or set "
            "`evaluation.execute_code` to false."
        )
    isolated = "import socket\nassert [name for _, name in socket.if_nameindex()] in ([], ['lo'])"
    if (outcome := run_program(isolated, CHECK_SECONDS)) != "passed":
        raise UserError(
            f"the sandbox has a network ({outcome}), so nothing is executed. Set `evaluation.execute_code` to false."
        )
