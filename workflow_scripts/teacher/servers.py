"""Start and stop a teacher for a job: the embedded llama.cpp, a vLLM server, or an endpoint that already runs."""

import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.model_location import local_model, model_files
from workflow_scripts.common.types import Config
from workflow_scripts.teacher import watchdog
from workflow_scripts.teacher.rate_limit import UNIX_SOCKET

MIB = 2**20
SHUTDOWN_SECONDS = 15.0  # from SIGTERM to SIGKILL
HEALTH_POLL_SECONDS = 0.1
MAX_STARTS = 3  # another process may take a port between vLLM's own processes before they open it
MAX_SOCKET_BYTES = 107  # of the path of a Unix socket, on Linux
MAX_LOG_LINES, MAX_LOG_BYTES = 12, 4096  # of the log's end, in error messages


@dataclass(frozen=True)
class Teacher:
    """An OpenAI-compatible server, the name of its model, and an identity that distinguishes models of this name.

    `base_url` begins with `rate_limit.UNIX_SOCKET` if the server listens on a Unix socket. `key` is the key of a server that the
    job started, and empty for any other.
    """

    base_url: str
    model: str
    identity: str = ""
    key: str = field(default="", repr=False)


def served_name(settings: Config) -> str:
    """The model's name on the teacher's server."""
    model: str = settings["model"]
    path = None if settings["kind"] == "endpoint" else local_model(model)
    return model if path is None else path.name


def identity(settings: Config) -> str:
    """Part of every stored request, so that answers of different models are never confused.

    For local weights: their name in the config, and of each file the size and the SHA-256 of its first and last MiB,
    which contain the metadata and the end of the weights; also the context, which limits replies. For an endpoint,
    whose weights cannot be read: the keys of the config.
    """
    parts = [settings["kind"], settings["model"], settings.get("revision")]
    if settings.get("options"):
        parts.append(json.dumps(settings["options"], sort_keys=True))
    if settings["kind"] != "endpoint":
        files = [_gguf_file(settings)] if settings["kind"] == "llama.cpp" else map(Path, model_files(settings["model"]))
        parts += [f"context {settings['context']}", *map(_fingerprint, files)]
    return " ".join(filter(None, parts))


def _fingerprint(path: Path) -> str:
    """Size of a file, and the SHA-256 of its first and last MiB."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        digest.update(file.read(MIB))
        file.seek(max(size - MIB, 0))
        digest.update(file.read(MIB))
    return f"{size} {digest.hexdigest()}"


def _gguf_file(settings: Config) -> Path:
    path = local_model(settings["model"])
    if path is None:
        raise UserError(
            f"teacher.model: {settings['model']} is not a GGUF file. Set its path, or package:NAME/FILE.gguf."
        )
    return path


@contextlib.contextmanager
def serve(settings: Config, threads: int, log: Path | None = None) -> Iterator[Teacher]:
    """The teacher of the section `teacher` of the config. A server started here ends with the block, or with the job.

    Other users of the machine can neither use it nor take its place: llama.cpp runs in this process and requires a random
    key, vLLM listens on a Unix socket in a folder of this user. `log` is the log file of a vLLM server.
    """
    if settings["kind"] == "vllm":
        with _vllm(settings, log) as teacher:
            yield teacher
        return
    if settings["kind"] == "endpoint":
        yield Teacher(settings["base_url"], settings["model"], identity(settings))
        return
    import xllamacpp

    path = _gguf_file(settings)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = settings["concurrency"]
    params.n_ctx = settings["concurrency"] * settings["context"]
    params.port = 0  # any free port, because several jobs may run on this machine
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    key = secrets.token_urlsafe()
    params.api_keys = [key]
    params.endpoint_slots = False  # it shows the prompts in progress
    params.ui = False
    # The server runs in threads of this process and ends with it, also by SIGKILL.
    server = xllamacpp.Server(params)
    logging.info("teacher %s at %s, %d threads", path.name, server.listening_address, threads)
    try:
        yield Teacher(f"{server.listening_address}/v1", path.name, identity(settings), key)
    finally:
        del server


def vllm_command(program: str, settings: Config, socket: Path) -> list[str]:
    """The command line of `vllm serve`. `teacher.vllm.extra` comes last and overrides the options before it."""
    options = settings["vllm"]
    path = local_model(settings["model"])
    command = [
        *(program, "serve", settings["model"] if path is None else str(path)),
        *("--uds", str(socket)),
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
def _vllm(settings: Config, log: Path | None) -> Iterator[Teacher]:
    program = shutil.which("vllm")
    if program is None:
        raise UserError(
            "`teacher.kind` is vllm, but there is no program `vllm` on PATH. Install it into an environment of its own "
            "(envs/vllm.yaml) and append its bin folder to PATH, run with `--sdm conda`, or set another kind."
        )
    with contextlib.ExitStack() as stack:
        if log is None:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "vllm.log"
        stack.enter_context(_sigterm_raises())
        socket = stack.enter_context(_private_socket())
        process = stack.enter_context(_started(program, settings, socket, log))
        address = f"{UNIX_SOCKET}{urllib.parse.quote(str(socket), safe='')}/v1"
        teacher = Teacher(address, served_name(settings), identity(settings))
        logging.info("teacher %s at %s, log %s", teacher.model, teacher.base_url, log)
        try:
            yield teacher
        except Exception:
            if process.poll() is not None:
                logging.error("vLLM exited (status %s). %s", process.returncode, _last_lines(log))
            raise


@contextlib.contextmanager
def _private_socket() -> Iterator[Path]:
    """The path of a Unix socket in a new folder that only this user can enter; it is removed at the end."""
    fits = len(os.fsencode(tempfile.gettempdir())) + len("/vllm-12345678/socket") <= MAX_SOCKET_BYTES
    with tempfile.TemporaryDirectory(prefix="vllm-", dir=None if fits else "/tmp") as folder:
        yield Path(folder) / "socket"


@contextlib.contextmanager
def _started(program: str, settings: Config, socket: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The watchdog of a server that is ready and listens on the socket."""
    # This server needs no API key, and might write one into its log.
    hidden = {"VLLM_API_KEY", settings.get("api_key_env")}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    log.parent.mkdir(parents=True, exist_ok=True)
    command = vllm_command(program, settings, socket)
    for starts_left in reversed(range(MAX_STARTS)):
        socket.unlink(missing_ok=True)
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-I", watchdog.__file__, str(SHUTDOWN_SECONDS), *command],
                stdin=subprocess.PIPE,  # the watchdog reads its end when this process has died
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        try:
            if not _ready(process, socket, settings["vllm"]["start_timeout"], log, starts_left > 0):
                continue
            yield process
            return
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(SHUTDOWN_SECONDS + watchdog.KILL_SECONDS + 5)
            except subprocess.TimeoutExpired:
                logging.warning("processes of vLLM still run after SIGKILL; see %s", log)


def _ready(process: subprocess.Popen[bytes], socket: Path, seconds: float, log: Path, may_retry: bool) -> bool:
    """Wait until the server is healthy. False if `may_retry` and a port was taken.

    Raises UserError if the server exits, or is not ready within `seconds`.
    """
    deadline = time.monotonic() + seconds
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), timeout=5) as client:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise UserError(
                    f"vLLM was not ready within {seconds:g} seconds (`teacher.vllm.start_timeout`). Raise it, for example if "
                    f"the model is still being downloaded. {_last_lines(log)}"
                )
            with contextlib.suppress(httpx2.HTTPError):
                if client.get("http://vllm/health").is_success:
                    return True
            time.sleep(HEALTH_POLL_SECONDS)
    if may_retry and "address already in use" in _tail(log).lower():
        return False
    raise UserError(
        f"vLLM did not start (exit status {process.returncode}). Fix the error in its log (`teacher.model`, "
        f"`teacher.vllm`, the GPU). {_last_lines(log)}"
    )


def _tail(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(log.stat().st_size - MAX_LOG_BYTES, 0))
        return file.read().decode("utf-8", "replace")


def _last_lines(log: Path) -> str:
    lines = [line[:300] for line in _tail(log).splitlines() if line.strip()][-MAX_LOG_LINES:]
    return "\n  ".join([f"The end of {log}:", *lines]) if lines else f"{log} is empty."


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM raises SystemExit in the block, so that its servers are stopped. No effect outside of the main thread."""
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
