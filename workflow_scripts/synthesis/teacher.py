"""A teacher for as long as a job needs it: the embedded llama.cpp, or an endpoint that already runs."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workflow_scripts.models.locate import local_model


@dataclass(frozen=True)
class Teacher:
    """An OpenAI-compatible server and the model to ask for."""

    base_url: str
    model: str


@contextlib.contextmanager
def serve(settings: dict[str, Any], threads: int) -> Iterator[Teacher]:
    """The teacher that `teacher:` in the config describes; one started here ends with the block, or with the job."""
    if settings["kind"] == "endpoint":
        yield Teacher(settings["base_url"], settings["model"])
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
        yield Teacher(f"{server.listening_address}/v1", path.name)
    finally:
        del server
