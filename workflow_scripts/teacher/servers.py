"""A teacher for as long as a job needs it: the embedded llama.cpp, a vLLM server, or an endpoint that already runs."""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_location import local_model
from workflow_scripts.teacher import watchdog

MIB = 2**20
GRACE = 15.0  # seconds that a server has to end by itself
PORTS = 3  # ports to try: between choosing one and its use another process may take it
LAST_LINES = 12


@dataclass(frozen=True)
class Teacher:
    """An OpenAI-compatible server, the model to ask for, and what tells this model from another of that name."""

    base_url: str
    model: str
    identity: str = ""


def served_name(settings: dict[str, Any]) -> str:
    """The name under which the teacher's server knows the model."""
    if settings["kind"] == "endpoint":
        return settings["model"]
    path = local_model(settings["model"])
    return settings["model"] if path is None else path.name


def identity(settings: dict[str, Any]) -> str:
    """What is part of every cached request, so that another model's answers are never taken for this one's.

    For a GGUF file its name in the config, its size and the SHA-256 of its first and last MiB, which hold its
    metadata and the end of its weights; for a server, whose weights nobody here can see, what the config says of them.
    """
    if settings["kind"] != "llama.cpp":
        options = [json.dumps(settings["options"], sort_keys=True)] if settings.get("options") else []
        return " ".join([settings["kind"], settings["model"], *filter(None, [settings.get("revision")]), *options])
    path = local_model(settings["model"])
    size = path.stat().st_size
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        digest.update(file.read(MIB))
        file.seek(max(size - MIB, 0))
        digest.update(file.read(MIB))
    return f"llama.cpp {settings['model']} {size} {digest.hexdigest()}"


@contextlib.contextmanager
def serve(settings: dict[str, Any], threads: int, log: Path | None = None) -> Iterator[Teacher]:
    """The teacher that `teacher:` in the config describes; one started here ends with the block, or with the job.

    `log` is a file for what a server of its own has to say.
    """
    if settings["kind"] == "vllm":
        with _vllm(settings, log) as teacher:
            yield teacher
        return
    if settings["kind"] == "endpoint":
        yield Teacher(settings["base_url"], settings["model"], identity(settings))
        return
    import xllamacpp

    path = local_model(settings["model"])
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = settings["concurrency"]
    params.n_ctx = settings["concurrency"] * settings["context"]
    params.port = 0  # any free one: several jobs may run on this machine
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    # It runs in threads of this process, so no kill can leave it behind.
    server = xllamacpp.Server(params)
    logging.info("teacher %s at %s, %d threads", path.name, server.listening_address, threads)
    try:
        yield Teacher(f"{server.listening_address}/v1", path.name, identity(settings))
    finally:
        del server


def vllm_command(program: str, settings: dict[str, Any], port: int) -> list[str]:
    """The command line of `vllm serve`. `teacher.vllm.extra` comes last, so that it may overrule what stands before."""
    options = settings["vllm"]
    path = local_model(settings["model"])
    command = [
        *(program, "serve", settings["model"] if path is None else str(path)),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--served-model-name", served_name(settings)),
        *("--tensor-parallel-size", str(options["tensor_parallel"])),
        *("--max-model-len", str(settings["context"])),
        *("--dtype", options["dtype"]),
        *("--gpu-memory-utilization", str(options["gpu_memory_utilization"])),
    ]
    if settings.get("revision"):
        command += ["--revision", settings["revision"], "--tokenizer-revision", settings["revision"]]
    return [*command, *map(str, options["extra"])]


@contextlib.contextmanager
def _vllm(settings: dict[str, Any], log: Path | None) -> Iterator[Teacher]:
    program = shutil.which("vllm")
    if program is None:
        raise UserError(
            "`teacher.kind` is vllm, and there is no program `vllm` on PATH. Install it into an environment of its own, as "
            "envs/vllm.yaml has it, and put its bin folder at the end of PATH; or run with `--sdm conda`; or choose another kind."
        )
    with contextlib.ExitStack() as stack:
        if log is None:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "vllm.log"
        stack.enter_context(_sigterm_raises())
        process, port = stack.enter_context(_started(program, settings, log))
        teacher = Teacher(f"http://127.0.0.1:{port}/v1", served_name(settings), identity(settings))
        logging.info("teacher %s at %s, log %s", teacher.model, teacher.base_url, log)
        try:
            yield teacher
        except Exception:
            if process.poll() is not None:
                logging.error("vLLM ended by itself (exit status %s). %s", process.returncode, _last_lines(log))
            raise


@contextlib.contextmanager
def _started(program: str, settings: dict[str, Any], log: Path) -> Iterator[tuple[subprocess.Popen, int]]:
    """A server that answers, and its port."""
    # A key is for teachers elsewhere: ours needs none, and its log is no place for one.
    hidden = {"VLLM_API_KEY", settings.get("api_key_env")}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    log.parent.mkdir(parents=True, exist_ok=True)
    for tries_left in reversed(range(PORTS)):
        port = _free_port()
        command = vllm_command(program, settings, port)
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-I", watchdog.__file__, str(GRACE), *command],
                stdin=subprocess.PIPE,  # its end is how the watchdog learns that this process is gone
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        try:
            if not _ready(process, port, settings["vllm"]["start_timeout"], log, tries_left > 0):
                continue
            yield process, port
            return
        finally:
            process.stdin.close()
            try:
                process.wait(GRACE + watchdog.PATIENCE + 5)
            except subprocess.TimeoutExpired:
                logging.warning("the processes of vLLM do not end, not even when killed; see %s", log)


def _ready(process: subprocess.Popen, port: int, seconds: float, log: Path, may_move: bool) -> bool:
    """Wait until the server is healthy; False if its port was taken. UserError if it ends, or takes too long."""
    until = time.monotonic() + seconds
    # No proxy of the environment leads to this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None:
        if time.monotonic() > until:
            raise UserError(
                f"vLLM was not ready within {seconds:g} seconds (`teacher.vllm.start_timeout`). Is the model still being "
                f"downloaded? {_last_lines(log)}"
            )
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            opener.open(f"http://127.0.0.1:{port}/health", timeout=5),
        ):
            if process.poll() is None:  # else it was another's server that answered
                return True
        time.sleep(0.1)
    if may_move and "address already in use" in _tail(log).lower():
        return False
    raise UserError(
        f"vLLM did not start (exit status {process.returncode}). Mend what it complains of (`teacher.model`, "
        f"`teacher.vllm`, the GPU). {_last_lines(log)}"
    )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _tail(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(log.stat().st_size - 4096, 0))
        return file.read().decode("utf-8", "replace")


def _last_lines(log: Path) -> str:
    lines = [line[:300] for line in _tail(log).splitlines() if line.strip()][-LAST_LINES:]
    return "\n  ".join([f"The end of {log}:", *lines]) if lines else f"{log} is empty."


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM as an exception while the block runs, so that what it started is stopped; only threads cannot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: Any) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
