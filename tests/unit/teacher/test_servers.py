"""Teachers that a job starts: start and end of vLLM, replaced by a script that behaves like it."""

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.teacher import servers
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.servers import MIB, Teacher, identity, serve, served_name, vllm_command

FAKE = '''#!{python} -I
"""Answers as vLLM does, with an engine in a session of its own. FAULTS selects a misbehaviour."""
import http.server, json, os, pathlib, signal, subprocess, sys, time
faults, notes = os.environ.get("FAULTS", ""), pathlib.Path(os.environ["NOTES"])
notes.mkdir(exist_ok=True)
starts = len(list(notes.glob("start*")))
(notes / f"start{{starts}}").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
port = int(sys.argv[sys.argv.index("--port") + 1])
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
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
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
    command = vllm_command("vllm", settings, 8123)
    assert command[:3] == ["vllm", "serve", "org/model"]
    assert " ".join(command[3:]) == (
        "--host 127.0.0.1 --port 8123 --served-model-name org/model --tensor-parallel-size 2 --max-model-len 2048 "
        "--dtype auto --gpu-memory-utilization 0.9 --revision c0ffee --tokenizer-revision c0ffee --max-num-seqs 8"
    )


def test_a_local_folder_is_served_under_its_name(settings, tmp_path):
    settings["model"] = str(tmp_path)
    command = vllm_command("vllm", settings, 8123)
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
    assert process.stdout.readline().startswith("http://127.0.0.1:")
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
        url = f"{teacher.base_url}/chat/completions"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps({"model": "m"}).encode())).read()
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


def test_another_port_is_used_if_the_first_one_is_taken(settings, notes, monkeypatch):
    monkeypatch.setenv("FAULTS", "taken")
    with serve(settings, 1) as teacher:
        ports = [re.search(r'"--port", "(\d+)"', (notes / f"start{n}").read_text())[1] for n in range(2)]
        assert len(set(ports)) == 2
        assert teacher.base_url == f"http://127.0.0.1:{ports[1]}/v1"


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
