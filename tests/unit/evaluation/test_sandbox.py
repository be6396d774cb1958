"""Programs in the sandbox: what is allowed and what is blocked, for root and for a user; a clear error without bubblewrap."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation import sandbox
from workflow_scripts.evaluation.harness import pack, unpack
from workflow_scripts.evaluation.sandbox import check, run_program

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)
ITEM = {"prompt": "", "test": "def check(candidate): assert candidate(2) == 3", "entry_point": "f"}
CORRECT = "\ndef f(x): return x + 1\n"
FORK = "import os, time\nfor _ in range(100):\n    if os.fork() == 0: time.sleep(9)\n"
FILL = "import os\nfor _ in range(2): os.fork()\nx = bytearray(b'x') * (3 * 2**28)\nimport time; time.sleep(9)\n"
SHARED = """
import ctypes
c = ctypes.CDLL(None)
c.shmat.restype, c.shmdt.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
for _ in range(16):
    address = c.shmat(c.shmget(0, 2**28, 0o1600), None, 0)
    ctypes.memset(address, 1, 2**28)
    c.shmdt(address)
"""
REMOUNT = "import ctypes\nassert ctypes.CDLL(None).mount(None, b'/', None, 32 | 4096, None) == 0"
UNMOUNT = "import ctypes\nassert ctypes.CDLL(None).umount2(b'/tmp', 2) == 0"
NAMESPACE = "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0"
TRACE = "import ctypes, os\nassert ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0"


def outcome_of(program: str, seconds: float = 5) -> str:
    """The outcome of a program that then defines a correct function."""
    return run_program(ITEM, program + CORRECT, seconds)


@needs_bubblewrap
@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("assert sorted([2, 1]) == [1, 2]", "passed"),
        ("open('note', 'w').write('scratch'); assert open('note').read() == 'scratch'", "passed"),
        ("assert 1 == 2", "raised AssertionError"),
        ("raise SystemExit(0)", "raised SystemExit"),
        ("import os; os._exit(0)", "ended early"),
        ("import time; time.sleep(60)", "timed out"),
        ("x = bytearray(2**31)", "raised MemoryError"),
        ("open('big', 'wb').write(bytes(2**25))", "raised OSError"),
        ("for n in range(32): open(str(n), 'wb').write(bytes(2**23))", "raised OSError"),
        ("while True: print('x' * 9999)", "timed out"),
        ("def", "raised SyntaxError"),
    ],
)  # fmt: skip
def test_a_program_and_its_outcome(program, outcome):
    assert outcome_of(program, seconds=3) == outcome


@needs_bubblewrap
@pytest.mark.parametrize(
    ("attack", "outcome"),
    [
        (REMOUNT, "raised AssertionError"),
        (UNMOUNT, "raised AssertionError"),
        (NAMESPACE, "raised AssertionError"),
        ("open('/usr/lib/new', 'w')", "raised OSError"),
        ("open('/dev/new', 'w')", "raised OSError"),
        ("open('/proc/sys/kernel/core_pattern', 'r+')", "raised PermissionError"),
        (FORK, "raised BlockingIOError"),
        (FILL, "raised MemoryExceeded"),
        (SHARED, "raised MemoryExceeded"),
    ],
)  # fmt: skip
def test_an_attack_is_refused(attack, outcome):
    assert outcome_of(attack, seconds=20) == outcome


@needs_bubblewrap
@pytest.mark.parametrize(
    "attack",
    [
        "import os\nfor n in range(100):\n    try: os.write(n, b'passed')\n    except OSError: pass\nos._exit(0)",
        "import glob, os, signal\nfor p in glob.glob('/proc/*/fd/*'):\n"
        "    try: os.write(os.open(p, os.O_WRONLY | os.O_NONBLOCK), b'passed')\n    except OSError: pass\n"
        "os.kill(os.getppid(), signal.SIGKILL)",
        f"{TRACE}\nimport os; os._exit(0)",
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
        "class passed(Exception): pass\nraise passed",
        "def f(x):\n    class Equal(int):\n        def __eq__(self, other): return True\n    return Equal()\nraise KeyError",
        "print('passed')\nimport sys; sys.stdout.flush(); sys.exit()",
    ],
)  # fmt: skip
def test_a_program_cannot_forge_that_it_passed(attack):
    assert outcome_of(attack) != "passed"
    equal = "class Equal(int):\n    __hash__ = int.__hash__\n    def __eq__(self, other): return True\n"
    assert run_program(ITEM, f"{equal}def f(x): return Equal(7)\n", 5) == "raised AssertionError"


@needs_bubblewrap
@pytest.mark.parametrize("reply", ["b'x' * 2**25", "b'[' * 10**6 + b'\\n'", r"b'{\"value\": [\"dict\"]}\n'"])
def test_a_reply_that_is_none_fails(reply):
    forged = f"def f(x):\n    import os\n    for n in range(3, 32):\n        try: os.write(n, {reply})\n        except OSError: pass\n"
    assert run_program(ITEM, forged, 5) != "passed"


@needs_bubblewrap
def test_tests_use_helper_functions_of_the_prompt():
    item = {
        "prompt": 'def double(x):\n    return 2 * x\n\ndef half(x: int):\n    """Half."""\n',
        "test": "def check(candidate):\n    assert candidate(double(3)) == 3 and tuple(half(double(4))) == (4,)\n",
        "entry_point": "half",
    }
    assert run_program(item, "    return x // 2\n", 5) == "raised TypeError"
    assert run_program(item | {"test": item["test"].replace("tuple(half(double(4))) == (4,)", "half(8) == 4")},
        "    return x // 2\n", 5) == "passed"  # fmt: skip


@pytest.mark.parametrize(
    "value", [None, True, 3, 2.5, float("inf"), 10**30, "ä\ud800", b"x", 2j, [1, (2, {3})], {"a": [1], (1, 2): frozenset("x")}]
)  # fmt: skip
def test_values_cross_to_the_tests_unchanged(value):
    again = unpack(pack(value))
    assert again == value and type(again) is type(value)


def test_an_iterator_stays_one_and_other_objects_are_errors():
    assert list(unpack(pack(iter([1, 2])))) == [1, 2]
    with pytest.raises(TypeError):
        pack(object())


@needs_bubblewrap
def test_a_program_reaches_no_server_of_this_machine(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        outcome = outcome_of(f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)")
    assert outcome in ("raised ConnectionRefusedError", "raised OSError")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "daemon"))
        server.listen()
        path = str(tmp_path / "daemon")
        outcome = outcome_of(f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})")
    assert outcome == "raised FileNotFoundError"


@needs_bubblewrap
def test_a_program_sees_no_secret_and_changes_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "canary-71a3")
    (tmp_path / "mine").write_text("mine")
    assert outcome_of("import os; assert 'canary-71a3' not in str(os.environ)") == "passed"
    for path in (tmp_path / "mine", Path.home() / "new", Path.cwd() / "new", Path("/etc/new"), Path(sys.prefix, "new")):
        assert outcome_of(f"open({str(path)!r}, 'w').write('x')").startswith("raised ")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not any(path.exists() for path in (Path.home() / "new", Path.cwd() / "new", Path("/etc/new")))
    assert outcome_of(f"open({str(tmp_path / 'mine')!r})") == "raised FileNotFoundError"


@needs_bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write to /opt")
def test_a_program_sees_no_file_outside_of_home_folders():
    token = Path("/opt/capybara-test-token")
    try:
        token.write_text("hf_canary")
        assert outcome_of(f"open({str(token)!r})") == "raised FileNotFoundError"
        assert outcome_of("open('/etc/passwd')") == "raised FileNotFoundError"
    finally:
        token.unlink()


@needs_bubblewrap
def test_a_program_sees_no_other_process():
    program = f"import os; assert not os.path.exists('/proc/{os.getpid()}') or os.getpid() < 10"
    assert outcome_of(program) == "passed"


@needs_bubblewrap
def test_the_sandbox_works_on_this_machine():
    check()


@needs_bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python that another user can run")
def test_the_sandbox_works_for_another_user():
    modules = ["common/errors.py", "evaluation/sandbox.py", "evaluation/harness.py"]
    with tempfile.TemporaryDirectory() as folder:
        for name in modules:
            target = Path(folder, "workflow_scripts", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(Path(sandbox.__file__).parents[1].joinpath(name).read_bytes())
        os.chmod(folder, 0o755)
        code = "import os; from workflow_scripts.evaluation.sandbox import check; check(); print(os.getuid())"
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code], cwd=folder, capture_output=True, text=True, user=65533, group=65533,
            extra_groups=[],
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("65533\n", "")


@needs_bubblewrap
@pytest.mark.parametrize(
    ("weakness", "message"),
    [
        (("--cap-drop", "--cap-add"), "HasCapabilities"),
        (("--unshare-all", "--unshare-pid"), "HasNetwork"),
    ],
)  # fmt: skip
def test_a_sandbox_that_does_not_hold_is_an_error(weakness, message, monkeypatch):
    command = sandbox._command

    def weak(output):
        words = [weakness[1] if word == weakness[0] else word for word in command(output)]
        return [word for word in words if word != "--disable-userns"]

    monkeypatch.setattr(sandbox, "_command", weak)
    with pytest.raises(UserError, match=rf"does not hold here \(raised {message}\), so nothing is executed"):
        check()


@needs_bubblewrap
def test_a_sandbox_that_does_not_start_is_an_error_and_no_failed_program(monkeypatch):
    command = sandbox._command
    monkeypatch.setattr(sandbox, "_command", lambda output: [command(output)[0], "--unknown-option"])
    with pytest.raises(UserError, match=r"does not start here: bwrap: Unknown option --unknown-option.*0\.8 or newer"):
        outcome_of("")


def test_without_bubblewrap_no_program_is_run(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"needs bubblewrap.*apt install bubblewrap"):
        check()
