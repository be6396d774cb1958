"""Teachers that a job starts: vLLM's life and death, with a script in its place that behaves as it does."""

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
from workflow_scripts.teacher import servers as module
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import TeacherClient
from workflow_scripts.teacher.servers import MIB, Teacher, identity, serve, served_name, vllm_command

FAKE = '''#!{python} -I
"""Answers as vLLM does, with an engine in a session of its own; WAYS says how it misbehaves."""
import http.server, json, os, pathlib, signal, subprocess, sys, time
ways, notes = os.environ.get("WAYS", ""), pathlib.Path(os.environ["NOTES"])
notes.mkdir(exist_ok=True)
starts = len(list(notes.glob("start*")))
(notes / f"start{{starts}}").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
port = int(sys.argv[sys.argv.index("--port") + 1])
print("loading weights", flush=True)
if "fails" in ways:
    sys.exit("ValueError: no GPU was found")
if "taken" in ways and not starts:
    sys.exit("OSError: [Errno 98] Address already in use")
if "deaf" in ways:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
engine = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
(notes / "pids").write_text(f"{{os.getpid()}} {{engine.pid}}")
if "slow" in ways:
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
        if "dies" in ways:
            print("CUDA out of memory", flush=True)
            os._exit(3)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
'''

JOB = """
import json, sys, time, pathlib
from workflow_scripts.teacher import servers as module
module.GRACE = 0.5
with module.serve(json.loads(sys.argv[1]), 1, pathlib.Path(sys.argv[2])) as teacher:
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
    """A fake `vllm` on PATH; what it wrote down is in the folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").write_text(FAKE.format(python=sys.executable))
    (tmp_path / "bin" / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.setattr(module, "GRACE", 0.5)
    return tmp_path / "notes"


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def left(notes):
    """Process ids of the server and its engine that still run."""
    return [int(one) for one in (notes / "pids").read_text().split() if runs(one)]


def gone(notes, seconds=10):
    until = time.monotonic() + seconds
    while left(notes) and time.monotonic() < until:
        time.sleep(0.05)
    return not left(notes)


def test_it_answers_and_ends_with_the_block(settings, notes, tmp_path):
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
        assert teacher.identity == "vllm org/model"
        assert len(left(notes)) == 2
    assert left(notes) == []  # the engine was deaf to SIGTERM, and in a session of its own
    assert "loading weights" in log.read_text()


def test_its_command_line(settings):
    settings["revision"] = "c0ffee"
    command = vllm_command("vllm", settings, 8123)
    assert command[:3] == ["vllm", "serve", "org/model"]
    assert " ".join(command[3:]) == (
        "--host 127.0.0.1 --port 8123 --served-model-name org/model --tensor-parallel-size 2 --max-model-len 2048 "
        "--dtype auto --gpu-memory-utilization 0.9 --revision c0ffee --tokenizer-revision c0ffee --max-num-seqs 8"
    )


def test_a_local_folder_is_served_under_its_own_name(settings, tmp_path):
    settings["model"] = str(tmp_path)
    command = vllm_command("vllm", settings, 8123)
    assert command[2] == str(tmp_path)
    assert command[command.index("--served-model-name") + 1] == served_name(settings) == tmp_path.name


def test_no_key_reaches_it(settings, notes, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "canary-2f6c1d")
    monkeypatch.setenv("VLLM_API_KEY", "canary-2f6c1d")
    with serve({**settings, "api_key_env": "TEACHER_KEY"}, 1):
        pass
    assert "canary" not in (notes / "start0").read_text()


def test_it_ends_with_an_exception(settings, notes):
    with pytest.raises(ZeroDivisionError), serve(settings, 1):
        raise ZeroDivisionError
    assert left(notes) == []


def test_one_that_is_deaf_is_killed(settings, notes, monkeypatch):
    monkeypatch.setenv("WAYS", "deaf")
    with serve(settings, 1):
        pass
    assert left(notes) == []


@pytest.fixture
def job(settings, notes, tmp_path):
    """A job in a process of its own, whose teacher runs."""
    arguments = [sys.executable, "-c", JOB, json.dumps(settings), str(tmp_path / "vllm.log")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    assert len(left(notes)) == 2
    yield process
    process.kill()
    process.wait()
    for one in left(notes):
        os.kill(one, signal.SIGKILL)


def test_nothing_is_left_when_the_job_is_told_to_end(job, notes):
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 143
    assert left(notes) == []


def test_nothing_is_left_when_the_job_is_killed(job, notes):
    job.kill()
    job.wait()
    assert gone(notes, 30)


def test_nothing_is_left_when_the_server_itself_is_killed(settings, notes, caplog):
    """What vLLM does not see to: its engines outlive it and keep the GPU (vllm issue 55510)."""
    with serve(settings, 1):
        os.kill(left(notes)[0], signal.SIGKILL)
        assert gone(notes, 10)


def test_a_server_that_died_is_named(settings, notes, monkeypatch, caplog):
    monkeypatch.setenv("WAYS", "dies")
    with pytest.raises(RuntimeError), serve(settings, 1) as teacher, caplog.at_level(logging.ERROR):
        url = f"{teacher.base_url}/chat/completions"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps({"model": "m"}).encode())).read()
        assert gone(notes)
        time.sleep(0.5)
        raise RuntimeError
    assert "exit status 3" in caplog.text
    assert "CUDA out of memory" in caplog.text


def test_one_that_does_not_start(settings, notes, monkeypatch, tmp_path):
    monkeypatch.setenv("WAYS", "fails")
    with pytest.raises(UserError, match="did not start") as caught, serve(settings, 1, tmp_path / "log"):
        pass
    assert f"The end of {tmp_path / 'log'}:\n  loading weights\n  ValueError: no GPU was found" in str(caught.value)


def test_one_that_is_never_ready(settings, notes, monkeypatch):
    monkeypatch.setenv("WAYS", "slow")
    settings["vllm"]["start_timeout"] = 1
    with (
        pytest.raises(UserError, match=r"within 1 seconds \(`teacher.vllm.start_timeout`\)") as caught,
        serve(settings, 1),
    ):
        pass
    assert "loading weights" in str(caught.value)
    assert left(notes) == []


def test_another_port_when_its_own_was_taken(settings, notes, monkeypatch):
    monkeypatch.setenv("WAYS", "taken")
    with serve(settings, 1) as teacher:
        ports = [re.search(r'"--port", "(\d+)"', (notes / f"start{n}").read_text())[1] for n in range(2)]
        assert len(set(ports)) == 2
        assert teacher.base_url == f"http://127.0.0.1:{ports[1]}/v1"


def test_no_vllm_is_one_clear_message(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(
            UserError,
            match=r"no program `vllm` on PATH\. Install it into an environment of its own, as envs/vllm\.yaml",
        ),
        serve(settings, 1),
    ):
        pass


def test_an_endpoint_is_only_named():
    settings = {"kind": "endpoint", "base_url": "https://a.b/v1", "model": "m", "revision": "2026-10"}
    with serve(settings, 1) as teacher:
        assert teacher == Teacher("https://a.b/v1", "m", "endpoint m 2026-10")
    assert identity({**settings, "revision": None}) == "endpoint m"


@pytest.mark.parametrize("place", [0, 3 * MIB, -1])
def test_other_weights_are_another_teacher(tmp_path, place):
    """The first MiB holds a GGUF file's metadata, the last the end of its weights; another length is another file."""
    path = tmp_path / "x.gguf"
    weights = bytearray(5 * MIB)
    path.write_bytes(weights)
    settings = {"kind": "llama.cpp", "model": str(path)}
    before = identity(settings)
    assert before == identity(settings)
    assert before.startswith(f"llama.cpp {path} {5 * MIB} ")
    if place == 3 * MIB:
        weights.append(0)
    else:
        weights[place] = 1
    path.write_bytes(weights)
    assert identity(settings) != before
    path.write_bytes(b"x")  # shorter than a MiB
    assert identity(settings).startswith(f"llama.cpp {path} 1 ")
