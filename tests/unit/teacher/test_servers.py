"""Teachers that a job starts: start and end of vLLM, replaced by a script that behaves like it."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import httpx2
import psutil
import pytest
import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.teacher import servers
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.rate_limit import UNIX_SOCKET
from workflow_scripts.teacher.servers import MIB, Teacher, identity, serve, served_name, vllm_command

FAKE = '''#!{python} -I
"""Answers as vLLM does, with an engine in a session of its own. FAULTS selects a misbehaviour."""
import http.server, json, os, pathlib, signal, socketserver, subprocess, sys, time
faults, notes = os.environ.get("FAULTS", ""), pathlib.Path(os.environ["NOTES"])
notes.mkdir(exist_ok=True)
starts = len(list(notes.glob("start*")))
(notes / f"start{{starts}}").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
socket = sys.argv[sys.argv.index("--uds") + 1]
print("loading weights", flush=True)
if "fails" in faults:
    sys.exit("ValueError: no GPU was found")
if "taken" in faults and not starts:
    sys.exit("OSError: [Errno 98] Address already in use")
if "ignores SIGTERM" in faults:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
engine = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True)
(notes / "pids").write_text(f"{{os.getpid()}} {{engine.pid}}")
if "slow" in faults:
    time.sleep(600)
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "socket"
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {{"role": "assistant", "content": asked["model"]}}
        body = json.dumps({{"choices": [{{"index": 0, "finish_reason": "stop", "message": message}}]}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)
        if "dies" in faults:
            print("CUDA out of memory", flush=True)
            os._exit(3)
socketserver.ThreadingUnixStreamServer(socket, Handler).serve_forever()
'''

JOB = """
import json, sys, time, pathlib
from workflow_scripts.teacher import servers
servers.SHUTDOWN_SECONDS = 0.5
with servers.serve(json.loads(sys.argv[1]), 1, pathlib.Path(sys.argv[2])) as teacher:
    print(teacher.base_url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def settings():
    vllm = {
        "tensor_parallel": 2,
        "dtype": "auto",
        "gpu_memory_utilization": 0.9,
        "start_timeout": 20,
        "extra": ["--max-num-seqs", 8],
    }
    return {"kind": "vllm", "model": "org/model", "revision": None, "context": 2048, "concurrency": 2, "vllm": vllm}


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """A fake `vllm` on PATH; returns the folder of its notes."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").write_text(FAKE.format(python=sys.executable))
    (tmp_path / "bin" / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setattr(servers, "SHUTDOWN_SECONDS", 0.5)
    return tmp_path / "notes"


def socket_of(teacher):
    """The Unix socket of its server."""
    return Path(urllib.parse.unquote(urllib.parse.urlsplit(teacher.base_url).netloc))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def running(notes):
    """Process ids of the server and its engine that still run."""
    return [int(pid) for pid in (notes / "pids").read_text().split() if is_running(pid)]


def all_ended(notes, seconds=10):
    deadline = time.monotonic() + seconds
    while running(notes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not running(notes)


def test_a_server_answers_and_ends_with_the_block(settings, notes, tmp_path):
    log = tmp_path / "logs" / "0000.vllm.log"

    async def ask(teacher):
        client = TeacherClient(
            teacher.base_url, teacher.model, {**settings, "timeout": 5, "retries": 0}, RequestCache(tmp_path)
        )
        answer = await client.ask([{"role": "user", "content": "Why?"}], {"max_tokens": 4}, 1)
        await client.close()
        return answer["text"]

    with serve(settings, 1, log) as teacher:
        assert asyncio.run(ask(teacher)) == teacher.model == "org/model"
        assert teacher.identity == "vllm org/model context 2048"
        assert len(running(notes)) == 2
    assert running(notes) == []  # the engine ignores SIGTERM and has a session of its own
    assert "loading weights" in log.read_text()


def test_the_command_line(settings):
    settings["revision"] = "c0ffee"
    command = vllm_command("vllm", settings, Path("/tmp/a/socket"))
    assert command[:3] == ["vllm", "serve", "org/model"]
    assert " ".join(command[3:]) == (
        "--uds /tmp/a/socket --served-model-name org/model --tensor-parallel-size 2 --max-model-len 2048 "
        "--dtype auto --gpu-memory-utilization 0.9 --revision c0ffee --tokenizer-revision c0ffee --max-num-seqs 8"
    )


def test_a_local_folder_is_served_under_its_name(settings, tmp_path):
    settings["model"] = str(tmp_path)
    command = vllm_command("vllm", settings, Path("/tmp/a/socket"))
    assert command[2] == str(tmp_path)
    assert command[command.index("--served-model-name") + 1] == served_name(settings) == tmp_path.name


def test_the_server_receives_no_api_key(settings, notes, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "canary-2f6c1d")
    monkeypatch.setenv("VLLM_API_KEY", "canary-2f6c1d")
    with serve({**settings, "api_key_env": "TEACHER_KEY"}, 1):
        pass
    assert "canary" not in (notes / "start0").read_text()


def test_a_server_ends_with_an_exception(settings, notes):
    with pytest.raises(ZeroDivisionError), serve(settings, 1):
        raise ZeroDivisionError
    assert running(notes) == []


def test_a_server_that_ignores_sigterm_is_killed(settings, notes, monkeypatch):
    monkeypatch.setenv("FAULTS", "ignores SIGTERM")
    with serve(settings, 1):
        pass
    assert running(notes) == []


@pytest.fixture
def job(settings, notes, tmp_path):
    """A job in a process of its own, with a running teacher."""
    arguments = [sys.executable, "-c", JOB, json.dumps(settings), str(tmp_path / "vllm.log")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith(UNIX_SOCKET)
    assert len(running(notes)) == 2
    yield process
    process.kill()
    process.wait()
    for pid in running(notes):
        os.kill(pid, signal.SIGKILL)


def test_all_processes_end_when_the_job_gets_sigterm(job, notes):
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 143
    assert running(notes) == []


def test_all_processes_end_when_the_job_is_killed(job, notes):
    job.kill()
    job.wait()
    assert all_ended(notes, 30)


def test_all_processes_end_when_the_server_is_killed(settings, notes):
    """vLLM's own engines survive it and keep the GPU (vllm issue 55510)."""
    with serve(settings, 1):
        os.kill(running(notes)[0], signal.SIGKILL)
        assert all_ended(notes, 10)


def test_the_exit_of_a_server_is_logged(settings, notes, monkeypatch, caplog):
    monkeypatch.setenv("FAULTS", "dies")
    with pytest.raises(RuntimeError), serve(settings, 1) as teacher, caplog.at_level(logging.ERROR):
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket_of(teacher)))) as client:
            client.post("http://localhost/v1/chat/completions", json={"model": "m"})
        assert all_ended(notes)
        time.sleep(0.5)
        raise RuntimeError
    assert "vLLM exited (status 3)" in caplog.text
    assert "CUDA out of memory" in caplog.text


def test_a_server_that_does_not_start(settings, notes, monkeypatch, tmp_path):
    monkeypatch.setenv("FAULTS", "fails")
    with pytest.raises(UserError, match="did not start") as caught, serve(settings, 1, tmp_path / "log"):
        pass
    assert f"The end of {tmp_path / 'log'}:\n  loading weights\n  ValueError: no GPU was found" in str(caught.value)


def test_a_server_that_is_never_ready(settings, notes, monkeypatch):
    monkeypatch.setenv("FAULTS", "slow")
    settings["vllm"]["start_timeout"] = 1
    with (
        pytest.raises(UserError, match=r"within 1 seconds \(`teacher.vllm.start_timeout`\)") as caught,
        serve(settings, 1),
    ):
        pass
    assert "loading weights" in str(caught.value)
    assert running(notes) == []


def test_vllm_is_started_again_if_a_port_between_its_processes_is_taken(settings, notes, monkeypatch):
    monkeypatch.setenv("FAULTS", "taken")
    with serve(settings, 1):
        assert sorted(path.name for path in notes.glob("start*")) == ["start0", "start1"]


def test_no_other_user_can_use_vllm_or_take_its_place(settings, notes):
    """It listens on no port, which others could open first, but on a socket in a folder that only this user can enter."""
    with serve(settings, 1) as teacher:
        socket = socket_of(teacher)
        folder = socket.parent.stat()
        assert socket.is_socket() and (folder.st_mode & 0o777, folder.st_uid) == (0o700, os.getuid())
        assert [psutil.Process(pid).net_connections("inet") for pid in running(notes)] == [[], []]
    assert not socket.parent.exists()


def test_a_long_folder_for_temporary_files(settings, notes, tmp_path, monkeypatch):
    """The path of a socket is short on every system."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with serve(settings, 1) as teacher:
        assert socket_of(teacher).is_socket()


def test_llama_cpp_answers_only_this_job():
    """With the embedded model. Other processes on the machine see neither answers nor the prompts in progress."""
    settings = yaml.safe_load(Path("config.yaml").read_text())["teacher"] | {"concurrency": 1, "context": 256}
    with serve(settings, 1) as teacher, httpx2.Client(base_url=teacher.base_url.removesuffix("/v1")) as client:
        assert teacher.key not in repr(teacher)
        request = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 2}
        with_key = {"Authorization": f"Bearer {teacher.key}"}
        assert client.post("/v1/chat/completions", json=request).status_code == 401
        assert client.post("/v1/chat/completions", json=request, headers=with_key).is_success
        assert client.get("/slots", headers=with_key).is_error


def test_missing_vllm_is_an_error(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(
            UserError,
            match=r"no program `vllm` on PATH\. Install it into an environment of its own \(envs/vllm\.yaml\)",
        ),
        serve(settings, 1),
    ):
        pass


def test_an_endpoint_is_not_started():
    settings = {"kind": "endpoint", "base_url": "https://a.b/v1", "model": "m", "revision": "2026-10"}
    with serve(settings, 1) as teacher:
        assert teacher == Teacher("https://a.b/v1", "m", "endpoint m 2026-10")
    assert identity({**settings, "revision": None}) == "endpoint m"


@pytest.mark.parametrize("place", [0, 3 * MIB, -1])
def test_other_weights_have_another_identity(tmp_path, place):
    """The first MiB has a GGUF file's metadata, the last the end of its weights; the length is part of the identity."""
    path = tmp_path / "x.gguf"
    weights = bytearray(5 * MIB)
    path.write_bytes(weights)
    settings = {"kind": "llama.cpp", "model": str(path), "context": 2048}
    before = identity(settings)
    assert before == identity(settings)
    assert before.startswith(f"llama.cpp {path} context 2048 {5 * MIB} ")
    if place == 3 * MIB:
        weights.append(0)
    else:
        weights[place] = 1
    path.write_bytes(weights)
    assert identity(settings) != before
    path.write_bytes(b"x")  # shorter than a MiB
    assert identity(settings).startswith(f"llama.cpp {path} context 2048 1 ")
    assert identity({**settings, "context": 4096}) != identity(settings)  # a reply may end at the context


def test_other_weights_of_a_local_folder_have_another_identity(tmp_path):
    settings = {"kind": "vllm", "model": str(tmp_path), "revision": None, "context": 2048}
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"old")
    before = identity(settings)
    (tmp_path / "model.safetensors").write_bytes(b"new")
    assert identity(settings) != before


def test_a_model_on_the_hub_is_not_a_gguf_file():
    with pytest.raises(UserError, match=r"teacher\.model: org/model is not a GGUF file"):
        identity({"kind": "llama.cpp", "model": "org/model"})
