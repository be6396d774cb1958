"""Programs in the sandbox: what is allowed and what is blocked; a clear error without bubblewrap."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.evaluation.sandbox import check, run_program

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"
)


@needs_bubblewrap
@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("assert sorted([2, 1]) == [1, 2]", "passed"),
        ("open('note', 'w').write('scratch'); assert open('note').read() == 'scratch'", "passed"),
        ("assert 1 == 2", "AssertionError"),
        ("raise SystemExit(0)", "ended early, with status 0"),
        ("import os; os._exit(0)", "ended early, with status 0"),
        ("import time; time.sleep(60)", "timed out"),
        ("x = bytearray(2**31)", "MemoryError"),
        ("open('big', 'wb').write(bytes(2**25))", "OSError: [Errno 27] File too large"),
        ("while True: print('x' * 9999)", "OSError: [Errno 27] File too large"),
        ("def", "SyntaxError: invalid syntax"),
    ],
)  # fmt: skip
def test_a_program_and_its_outcome(program, outcome):
    assert run_program(program, seconds=3) == outcome


@needs_bubblewrap
def test_a_program_reaches_no_server_of_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        outcome = run_program(f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)", seconds=5)
    assert "refused" in outcome or "unreachable" in outcome


@needs_bubblewrap
def test_a_program_sees_no_secret_and_changes_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "canary-71a3")
    (tmp_path / "mine").write_text("mine")
    assert run_program("import os; assert 'canary-71a3' not in str(os.environ)", seconds=5) == "passed"
    for path in (tmp_path / "mine", Path.home() / "new", Path.cwd() / "new", Path("/etc/new")):
        assert (
            "Error" in run_program(f"open({str(path)!r}, 'w').write('x')", seconds=5)
            or not path.with_name("new").exists()
        )
    assert (tmp_path / "mine").read_text() == "mine"
    assert not any(path.exists() for path in (Path.home() / "new", Path.cwd() / "new", Path("/etc/new")))
    assert "FileNotFoundError" in run_program(f"open({str(tmp_path / 'mine')!r})", seconds=5)


@needs_bubblewrap
def test_a_program_sees_no_other_process():
    program = f"import os; assert not os.path.exists('/proc/{os.getpid()}') or os.getpid() < 10"
    assert run_program(program, seconds=5) == "passed"


@needs_bubblewrap
def test_the_sandbox_works_on_this_machine():
    check()


def test_without_bubblewrap_no_program_is_run(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"needs bubblewrap.*apt install bubblewrap"):
        check()
